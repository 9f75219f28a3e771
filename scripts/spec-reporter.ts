/**
 * Mocha's spec reporter, which also appends `passed failed pending` to the file named by TEST_TOTALS, so that a
 * script can sum over several runs without reading words meant for people.
 */
import { appendFileSync } from 'node:fs';
import Mocha from 'mocha';

export default class SpecReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const file = process.env['TEST_TOTALS'];
    if (file === undefined) return;
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats;
      appendFileSync(file, `${passes} ${failures} ${pending}\n`);
    });
  }
}
