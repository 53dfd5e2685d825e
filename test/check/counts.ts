import { readFileSync } from 'node:fs';
import { countRun, type TestReport } from './report.ts';

// node test/check/counts.ts REPORT GATE_EXIT_CODE TESTS_EXIT_CODE

const [file = '', gateCode = '1', testsCode = '1'] = process.argv.slice(2);

function readReport(): TestReport | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as TestReport;
  } catch {
    return undefined;
  }
}

const { passed, failed, notes } = countRun(readReport(), Number(gateCode), Number(testsCode));
for (const note of notes) console.log(note);
console.log(`${passed} passed, ${failed} failed`);
if (failed > 0) process.exitCode = 1;
