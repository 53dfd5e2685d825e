import { describe, expect, it } from 'vitest';
import { countRun, type TestReport } from './report.ts';

const file = (name: string, status: string, tests: string[]) => ({
  name,
  status,
  assertionResults: tests.map((one) => ({ status: one })),
});
const report = (change: Partial<TestReport>): TestReport => ({
  success: true,
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 0,
  testResults: [file('a', 'passed', ['passed', 'passed', 'passed'])],
  ...change,
});

describe('the last line of .ci/run', () => {
  it('counts what passed', () => {
    expect(countRun(report({}), 0, 0)).toEqual({ passed: 3, failed: 0, notes: [] });
  });
  it('counts failed tests once', () => {
    const testResults = [file('a', 'failed', ['passed', 'failed', 'failed'])];
    const run = report({ success: false, numPassedTests: 1, numFailedTests: 2, testResults });
    expect(countRun(run, 0, 1)).toMatchObject({ passed: 1, failed: 2 });
  });
  it('counts a file that could not even be loaded', () => {
    const run = report({ success: false, testResults: [file('a', 'passed', ['passed']), file('b', 'failed', [])] });
    expect(countRun(run, 0, 1)).toEqual({ passed: 3, failed: 1, notes: ['b failed outside of its tests.'] });
  });
  it('counts an error outside of any test, a run without tests and one without a report', () => {
    expect(countRun(report({}), 0, 1).failed).toBe(1);
    expect(countRun(report({ success: false }), 0, 0).failed).toBe(1);
    expect(countRun(report({ numPassedTests: 0, testResults: [] }), 0, 0).failed).toBe(1);
    expect(countRun(undefined, 0, 0)).toMatchObject({ passed: 0, failed: 1 });
  });
  it('counts a failed gate, and says what was skipped', () => {
    const run = countRun(report({ numPendingTests: 2 }), 2, 0);
    expect(run).toEqual({ passed: 3, failed: 1, notes: ['2 tests were skipped.', 'The gate (npm run check) failed.'] });
  });
});
