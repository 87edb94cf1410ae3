// Bun: the library through bun:ffi, the wake-up pipe as a stream, the two calls that block in a
// worker. index.ts imports it in Bun alone.

import { closeSync } from "node:fs";
import { Worker } from "node:worker_threads";

import type { Handle } from "../abi.js";
import { ERRORS } from "../abi.js";
import { check } from "../errors.js";
import { library } from "./bun-library.js";
import type { Answer, Platform, Watch } from "./index.js";

const IDLE_MS = 100; // how soon an event that is no job's own is noticed while no job runs

/** The worker ends by itself: ending it by force crashed Bun 1.1 once in some eighty times. */
function inWorker(handle: Handle, graceMs: number | null): Promise<Answer> {
    return new Promise((resolve) => {
        const worker = new Worker(new URL("./bun-worker.js", import.meta.url),
            { workerData: { handle, graceMs } });
        worker.once("message", resolve);
        worker.once("error", (error: Error) => resolve([ERRORS.BK_EINTERNAL, error.message]));
    });
}

/**
 * A stream of a pipe keeps Bun's process alive while it is read and has no unref(): it is read only
 * while jobs run. Else, when somebody listens, a timer which does not hold the process looks for events.
 */
function watch(handle: Handle, drain: () => void): Watch {
    const fd = check(library, library.bk_wakeup_fd(handle));
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    let timer: ReturnType<typeof setInterval> | undefined;
    let over = false;

    async function read(mine: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
        for (let done = false; reader === mine && !done; ) {
            // A pipe that cannot be read any more leaves the timer.
            ({ done } = await mine.read().catch(() => ({ done: true })));
            drain();
        }
        if (reader === mine) reader = undefined;
    }

    drain();
    return {
        listen() {
            if (timer || over) return;
            timer = setInterval(() => void (reader ?? drain()), IDLE_MS);
            timer.unref();
            drain();
        },
        busy(yes) {
            if (yes && !reader && !over) {
                reader = Bun.file(fd).stream().getReader();
                // What rang between two readers may have gone with the one before.
                drain();
                if (reader) void read(reader);
            } else if (!yes && reader) {
                const old = reader;
                reader = undefined;
                void old.cancel();
            }
        },
        stop() {
            if (over) return;
            over = true;
            clearInterval(timer);
            const old = reader;
            reader = undefined;
            // The stream does not close the descriptor, and must have let go of it before we do.
            void (old ? old.cancel() : Promise.resolve()).finally(() => closeSync(fd));
        },
    };
}

export const platform: Platform = {
    library,
    open: (handle) => inWorker(handle, null),
    shutdown: (handle, graceMs) => inWorker(handle, graceMs),
    watch,
};
