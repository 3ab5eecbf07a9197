// Stands in for Node's perf_hooks where the build makes scripts for browsers.
export const performance = globalThis.performance;
