// Node: the addon's functions as they are, the wake-up pipe as a socket. The addon runs the two
// calls that block on libuv's pool. index.ts imports it in Node alone.

import { createRequire } from "node:module";
import { Socket } from "node:net";

import type { Handle, Library } from "../abi.js";
import { check } from "../errors.js";
import type { Answer, Platform, Watch } from "./index.js";
import { addon } from "./locate.js";

interface Addon extends Library {
    bk_open(handle: Handle): Promise<Answer>;
    bk_shutdown(handle: Handle, graceMs: number): Promise<Answer>;
}

const library = createRequire(import.meta.url)(addon()) as Addon;

function watch(handle: Handle, drain: () => void): Watch {
    // The socket owns this end of the pipe and closes it. It keeps the process alive only for jobs.
    const fd = check(library, library.bk_wakeup_fd(handle));
    const socket = new Socket({ fd, readable: true, writable: false });
    socket.on("data", drain);
    socket.on("error", () => {});
    socket.unref();
    drain();
    return {
        listen: () => {},
        busy: (yes) => void (yes ? socket.ref() : socket.unref()),
        stop: () => void socket.destroy(),
    };
}

export const platform: Platform = {
    library,
    open: (handle) => library.bk_open(handle),
    shutdown: (handle, graceMs) => library.bk_shutdown(handle, graceMs),
    watch,
};
