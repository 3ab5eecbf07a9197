globalThis.sourceMapSupport = { install() {} };
