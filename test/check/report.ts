/** What is read of vitest's JSON report. */
export type TestReport = {
  success: boolean;
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  testResults: Array<{ name: string; status: string; assertionResults: Array<{ status: string }> }>;
};

export type Counts = { passed: number; failed: number; notes: string[] };

/**
 * Counts a run so that nothing hides: a file that failed before its tests began is a failure, so are a failed gate, and
 * a run that failed although each of its tests passed (an error outside of any test) or that left no report.
 */
export function countRun(report: TestReport | undefined, gateCode: number, testsCode: number): Counts {
  const notes: string[] = [];
  const broken = (report?.testResults ?? []).filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  for (const file of broken) notes.push(`${file.name} failed outside of its tests.`);
  let failed = (report?.numFailedTests ?? 0) + broken.length;
  if (report === undefined) notes.push('The tests left no report.');
  else if (failed === 0 && report.numPassedTests === 0) notes.push('No test ran.');
  else if (failed === 0 && (!report.success || testsCode !== 0)) notes.push('The tests failed outside of any test.');
  if (failed === 0 && notes.length > 0) failed = 1;
  if (report !== undefined && report.numPendingTests > 0) notes.push(`${report.numPendingTests} tests were skipped.`);
  if (gateCode !== 0) {
    notes.push('The gate (npm run check) failed.');
    failed += 1;
  }
  return { passed: report?.numPassedTests ?? 0, failed, notes };
}
