/** Node's test runner, the same way everywhere. */
export const testFlags = ["--test", "--test-reporter=spec", "--disable-warning=ExperimentalWarning"];

/** For one file of tests, or one step that is no test. */
export const fileTimeoutMs = 15 * 60_000;
