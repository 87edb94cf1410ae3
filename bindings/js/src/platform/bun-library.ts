// The library through bun:ffi, by the generated table. No JSCallback, no close(), no cstring return
// and a NUL-ended Buffer for each text: each of these was a crash or a leak in some Bun. bun.ts and
// bun-worker.ts use it.

import { dlopen, toArrayBuffer } from "bun:ffi";

import { FUNCTIONS, type Kind, type Library } from "../abi.js";
import { BotkeepError } from "../errors.js";
import { library as path } from "./locate.js";

const TYPES: Record<Kind, string> =
    { int: "i32", double: "f64", text: "ptr", owned: "ptr", image: "ptr", keeper: "ptr", void: "void" };

/** A keeper goes in as a number of 64 bits: it is a small one, which Bun 1.1 mangles as a pointer. */
const takesType = (kind: Kind): string => (kind === "keeper" ? "u64" : TYPES[kind]);

type Call = (...args: unknown[]) => unknown;

function read(pointer: unknown): string | null {
    return pointer ? Buffer.from(toArrayBuffer(pointer as number, 0)).toString("utf8") : null;
}

function pass(value: unknown, kind: Kind): unknown {
    if (kind !== "text") return value;
    return value === null || value === undefined ? null : Buffer.from(`${value as string}\0`);
}

function wrap(call: Call, free: Call, returns: Kind, takes: Kind[]): Call {
    return (...args) => {
        const answer = call(...takes.map((kind, index) => pass(args[index], kind)));
        if (returns === "keeper") return answer || null;
        if (returns !== "text" && returns !== "owned") return answer;
        const text = read(answer);
        if (returns === "owned" && answer) free(answer);
        return text;
    };
}

/** The functions that block are among them: they are for bun-worker.ts alone. */
export interface WholeLibrary extends Library {
    bk_open(handle: unknown): number;
    bk_shutdown(handle: unknown, graceMs: number): number;
}

function open(): WholeLibrary {
    const declared = Object.fromEntries(Object.entries(FUNCTIONS).map(([name, { returns, takes }]) =>
        [name, { returns: TYPES[returns], args: takes.map(takesType) }]));
    let symbols: Record<string, Call>;
    try {
        symbols = dlopen(path(), declared).symbols;
    } catch (error) {
        throw new BotkeepError("BK_EUNSUPPORTED", `${path()} cannot be loaded: ${String(error)}. Nothing `
            + "was touched. Build it with ./dev build, or set BOTKEEP_LIBRARY to its path.");
    }
    const free = symbols["bk_free"] as Call;
    return Object.fromEntries(Object.entries(FUNCTIONS).map(([name, { returns, takes }]) =>
        [name, wrap(symbols[name] as Call, free, returns, takes)])) as unknown as WholeLibrary;
}

export const library = open();
