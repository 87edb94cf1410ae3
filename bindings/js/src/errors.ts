// The one error class and how the library's answers become errors. Not the list of codes: abi.ts.

import { ERRORS, type ErrorCode, type Library } from "./abi.js";

/**
 * Something failed. The message says what happened, whether the data is safe, and what to do
 * next; code is the library's name for it, such as "BK_EBUSY".
 */
export class BotkeepError extends Error {
    override readonly name = "BotkeepError";
    /** A newer library may know codes this package does not: a string in any case. */
    readonly code: ErrorCode;
    /** What a failed job still tells, such as the list of backup.verify; else undefined. */
    readonly result: unknown;

    constructor(code: string, message: string, result?: unknown) {
        super(message);
        this.code = code as ErrorCode;
        this.result = result;
    }
}

/** The name of a negative return value. */
export function codeOf(number: number): ErrorCode {
    for (const [code, value] of Object.entries(ERRORS)) {
        if (value === number) return code as ErrorCode;
    }
    return "BK_EUNKNOWN";
}

/** Passes a good answer on and throws what a bad one means. Nothing may be called in between. */
export function check(library: Library, answer: number): number {
    if (answer < 0) throw new BotkeepError(codeOf(answer), library.bk_last_error() ?? "");
    return answer;
}

/** A NUL, where the C side would end the text, or half a character, which it would not get as it is. */
const BROKEN = /\0|\p{Surrogate}/u;

export function text(value: unknown, what: string): string {
    if (typeof value !== "string" || BROKEN.test(value)) {
        throw new BotkeepError("BK_EINVAL", `${what} must be a string without a NUL and without half `
            + "characters (lone surrogates). Nothing was done. Correct the call.");
    }
    return value;
}
