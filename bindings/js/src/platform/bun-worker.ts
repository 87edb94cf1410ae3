// The one call that blocks, in a worker: bun:ffi has no asynchronous calls. Handles belong to the
// process, so the worker's copy of the library is the same. bun.ts starts it and ends it.

import { library } from "./bun-library.js";

self.onmessage = ({ data }) => {
    const { handle, graceMs } = data as { handle: number; graceMs: number | null };
    const code = graceMs === null ? library.bk_open(handle) : library.bk_shutdown(handle, graceMs);
    self.postMessage([code, code < 0 ? library.bk_last_error() : ""]);
};
