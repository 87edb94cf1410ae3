// The one call that blocks, in a worker: bun:ffi has no asynchronous calls. Handles belong to the
// process, so the worker's copy of the library is the same. bun.ts starts it; it ends by itself.

import { parentPort, workerData } from "node:worker_threads";

import { library } from "./bun-library.js";

const { handle, graceMs } = workerData as { handle: number; graceMs: number | null };
const code = graceMs === null ? library.bk_open(handle) : library.bk_shutdown(handle, graceMs);
parentPort?.postMessage([code, code < 0 ? library.bk_last_error() : ""]);
