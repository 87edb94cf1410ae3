// What differs between Node and Bun, as one interface, and the choice. Not how it is done: node.ts
// and bun.ts. keeper.ts calls load().

import { ABI, type Handle, type Library } from "../abi.js";
import { BotkeepError } from "../errors.js";

/** [0, ""], or an error's number and text. */
export type Answer = [code: number, message: string];

/** Calls back on the event loop when events wait. */
export interface Watch {
    /** Jobs are pending: the process must stay alive for them, and only for them. */
    busy(yes: boolean): void;
    /** Somebody wants the events that are no job's own. */
    listen(): void;
    stop(): void;
}

export interface Platform {
    readonly library: Library;
    open(handle: Handle): Promise<Answer>;
    shutdown(handle: Handle, graceMs: number): Promise<Answer>;
    watch(handle: Handle, drain: () => void): Watch;
}

let loading: Promise<Platform> | undefined;

/** The platform, loaded once in each JavaScript environment. */
export function load(): Promise<Platform> {
    loading ??= start();
    return loading;
}

async function start(): Promise<Platform> {
    const isBun = process.versions["bun"] !== undefined;
    // The import is dynamic because bun:ffi exists in Bun alone.
    const { platform } = await (isBun ? import("./bun.js") : import("./node.js"));
    const abi = platform.library.bk_abi();
    if (abi !== ABI) {
        throw new BotkeepError("BK_EUNSUPPORTED", `the library has ABI ${abi}, this package needs `
            + `${ABI}. Nothing was touched. Install both in the same version.`);
    }
    return platform;
}
