// One running operation as a promise. Not what runs it (the library) nor what takes its events
// (core.ts). Every method of a namespace returns one.

import type { Core } from "./core.js";
import { BotkeepError } from "./errors.js";

const HERE = new URL(".", import.meta.url);

/** How far a job is: bytes or steps of a named phase. */
export interface Progress {
    phase: string;
    done: number;
    total: number;
}

export interface DoneEvent {
    ok: boolean;
    result?: unknown;
    error?: { code: string; message: string };
}

/** `await job`, or `job.result()`. It runs whether or not anybody waits for it. */
export class Job<T> implements PromiseLike<T> {
    /** Holds the keeper while it runs: one that nobody holds is closed, which cancels its jobs. */
    private keeper: unknown;
    private readonly listeners: ((progress: Progress) => void)[] = [];
    private readonly ended: Promise<T>;
    /** Where it was started: a failure comes from the event loop, which knows nothing of that. */
    private readonly origin = new Error().stack;
    private settle!: { resolve(value: T): void; reject(error: BotkeepError): void };

    /** Made by a keeper. */
    constructor(private readonly core: Core, readonly id: number, readonly operation: string,
        keeper: unknown) {
        this.keeper = keeper;
        this.ended = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
        // Who does not wait does not want the process to end over it.
        this.ended.catch(() => {});
    }

    /** Whether it has ended, well or badly. */
    get done(): boolean {
        return this.keeper === undefined;
    }

    /** The result, or rejects with a BotkeepError. */
    result(): Promise<T> {
        return this.ended;
    }

    then<A = T, B = never>(good?: ((value: T) => A | PromiseLike<A>) | null,
        bad?: ((error: BotkeepError) => B | PromiseLike<B>) | null): Promise<A | B> {
        return this.ended.then(good, bad);
    }

    catch<B = never>(bad?: ((error: BotkeepError) => B | PromiseLike<B>) | null): Promise<T | B> {
        return this.ended.catch(bad);
    }

    finally(done?: (() => void) | null): Promise<T> {
        return this.ended.finally(done);
    }

    /** Asks it to stop. It ends with BK_ECANCELLED if it stopped, or with its result. */
    cancel(): void {
        if (!this.done) this.core.cancel(this.id);
    }

    /** Calls back on progress, at most ten times a second. Returns the job. */
    onProgress(callback: (progress: Progress) => void): this {
        this.listeners.push(callback);
        return this;
    }

    /** `for await (const step of job.progress())`: ends with the job. */
    async *progress(): AsyncGenerator<Progress, void, undefined> {
        const steps: Progress[] = [];
        let ring = (): void => {};
        let over = false;
        this.onProgress((step) => {
            steps.push(step);
            ring();
        });
        const end = (): void => {
            over = true;
            ring();
        };
        this.ended.then(end, end);
        for (;;) {
            while (steps.length > 0) yield steps.shift() as Progress;
            if (over) return;
            await new Promise<void>((resolve) => (ring = resolve));
        }
    }

    /** @internal */
    takeProgress(progress: Progress): void {
        for (const listener of this.listeners) listener(progress);
    }

    /** @internal */
    end(event: DoneEvent): void {
        this.keeper = undefined;
        if (event.ok) this.settle.resolve(event.result as T);
        else this.settle.reject(this.failure(event));
    }

    private failure(event: DoneEvent): BotkeepError {
        const { code, message } = event.error ?? { code: "", message: "" };
        const error = new BotkeepError(code, message, event.result);
        const frames = (this.origin ?? "").split("\n").filter((line) => /^\s+at /.test(line)
            && !line.includes(HERE.pathname) && !line.includes(decodeURI(HERE.pathname)));
        error.stack = [`${error.name}: ${message}`, ...frames].join("\n");
        return error;
    }
}
