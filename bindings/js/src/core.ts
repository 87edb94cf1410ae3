// The keeper's inner half: the handle, the jobs that run, and the events taken from the library.
// It holds no Keeper, except through jobs that run, so that an unused Keeper can be collected.

import { fileURLToPath } from "node:url";

import type { Handle } from "./abi.js";
import { BotkeepError, check, codeOf, text } from "./errors.js";
import { Job, type DoneEvent, type Progress } from "./job.js";
import type { Platform, Watch } from "./platform/index.js";

export interface KeeperEvent {
    event: string;
    [member: string]: unknown;
}

const KEPT = 256; // events kept for the first listener

export class Core {
    private readonly jobs = new Map<number, Job<unknown>>();
    private readonly listeners = new Set<(event: KeeperEvent) => void>();
    private readonly enders = new Set<() => void>();
    private kept: KeeperEvent[] = [];
    private watch: Watch | undefined;
    private closed = false;

    constructor(readonly platform: Platform, readonly handle: Handle) {}

    /** Off the event loop: bk_open() blocks while a staged restore is applied. */
    async open(): Promise<void> {
        this.answer(await this.platform.open(this.handle));
        this.watch = this.platform.watch(this.handle, () => this.drain());
    }

    /** Off the event loop: bk_shutdown() blocks up to its grace. Events go on coming meanwhile. */
    async shutdown(graceMs: number): Promise<void> {
        try {
            this.answer(await this.platform.shutdown(this.handle, graceMs));
        } finally {
            this.drain();
            this.close();
        }
    }

    /** Never blocks, may be repeated. */
    close(): void {
        if (this.closed) return;
        this.closed = true;
        this.watch?.stop();
        this.platform.library.bk_close(this.handle);
        this.finish();
    }

    get isClosed(): boolean {
        return this.closed;
    }

    run<T>(operation: string, args: object | null | undefined, keeper: unknown): Job<T> {
        const name = text(operation, "the operation");
        return this.started<T>(this.platform.library.bk_run(this.handle, name, jsonOf(args, name)),
            name, keeper);
    }

    /** The image is copied before this returns. */
    save<T>(image: Uint8Array, args: object, keeper: unknown): Job<T> {
        if (!(image instanceof Uint8Array)) {
            throw new BotkeepError("BK_EINVAL", "the image must be a Uint8Array. Nothing was saved.");
        }
        // A plain view: a class of its own may say any length.
        const bytes = new Uint8Array(image.buffer, image.byteOffset, sizeOf.call(image));
        return this.started<T>(this.platform.library.bk_save(this.handle, bytes, bytes.byteLength,
            jsonOf(args, "save()")), "store.save", keeper);
    }

    private started<T>(answer: number, operation: string, keeper: unknown): Job<T> {
        const id = check(this.platform.library, answer);
        const job = new Job<T>(this, id, operation, keeper);
        this.jobs.set(id, job as Job<unknown>);
        this.watch?.busy(true);
        return job;
    }

    /** An error would mean that it has ended, and then there is nothing to ask for. */
    cancel(id: number): void {
        this.platform.library.bk_cancel(this.handle, id);
    }

    /** The first listener gets what came before it. Returns what removes it. */
    listen(listener: (event: KeeperEvent) => void, ended?: () => void): () => void {
        this.listeners.add(listener);
        if (ended) this.enders.add(ended);
        const kept = this.kept;
        this.kept = [];
        for (const event of kept) guard(() => listener(event));
        this.watch?.listen();
        if (this.closed) ended?.();
        return () => {
            this.listeners.delete(listener);
            if (ended) this.enders.delete(ended);
        };
    }

    /** Takes every event that waits. The library rings again only after it was seen empty. */
    private drain(): void {
        while (!this.closed) {
            const json = this.platform.library.bk_next(this.handle, 0);
            if (json === null) break;
            this.deal(JSON.parse(json) as KeeperEvent);
        }
    }

    private deal(event: KeeperEvent): void {
        const job = this.jobs.get(event["job"] as number);
        if (event.event === "done") {
            this.jobs.delete(event["job"] as number);
            if (this.jobs.size === 0) this.watch?.busy(false);
            job?.end(event as unknown as DoneEvent);
        } else if (event.event === "progress") {
            const { phase, done, total } = event as unknown as Progress;
            if (job) guard(() => job.takeProgress({ phase, done, total }));
        } else if (event.event !== "closed") {
            this.publish(event);
        }
    }

    private publish(event: KeeperEvent): void {
        if (this.listeners.size === 0) this.kept = [...this.kept, event].slice(-KEPT);
        for (const listener of this.listeners) guard(() => listener(event));
    }

    private finish(): void {
        const message = "the keeper was closed before this job ended. The data is safe. "
            + "Use shutdown() to let jobs end first.";
        for (const job of this.jobs.values()) {
            job.end({ ok: false, error: { code: "BK_ECANCELLED", message } });
        }
        this.jobs.clear();
        for (const ended of this.enders) guard(ended);
    }

    private answer([code, message]: [number, string]): void {
        if (code < 0) throw new BotkeepError(codeOf(code), message);
    }
}

const sizeOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype),
    "byteLength")!.get as (this: Uint8Array) => number;

/** The arguments as JSON. What JSON.stringify() would change without a word is refused. */
function jsonOf(args: object | null | undefined, operation: string): string | null {
    if (args === null || args === undefined) return null;
    const refuse = (why: string): never => {
        throw new BotkeepError("BK_EINVAL", `The arguments of ${operation} ${why}. Nothing was started. `
            + "Correct them and try again.");
    };
    if (typeof args !== "object" || Array.isArray(args)) refuse("must be an object such as {name: value}");
    function replace(this: Record<string, unknown>, name: string, value: unknown): unknown {
        const given = this[name]; // before its toJSON()
        if (given instanceof URL) return optionText(given, name);
        if (typeof value === "number" && !Number.isFinite(value)) refuse(`have ${value} as ${name}`);
        if (["bigint", "function", "symbol"].includes(typeof value)) refuse(`have a ${typeof value} as ${name}`);
        return typeof value === "string" ? text(value, name) : value;
    }
    try {
        return JSON.stringify(args, replace);
    } catch (error) {
        if (error instanceof BotkeepError) throw error;
        return refuse(`are no JSON: ${String(error)}`);
    }
}

/** What an option's value is for the library. A URL of a file is its path. */
export function optionText(value: unknown, name: string): string {
    if (value instanceof URL) return value.protocol === "file:" ? fileURLToPath(value) : value.href;
    if (["string", "number", "boolean", "bigint"].includes(typeof value)) return text(String(value), name);
    throw new BotkeepError("BK_EINVAL", `The option ${name} must be a string, a number, a boolean or a URL, `
        + `not ${value instanceof Object ? "an object" : typeof value}. Nothing was done. Correct it.`);
}

/** A callback's own error is its author's: it surfaces as uncaught, after all events are dealt. */
function guard(call: () => void): void {
    try {
        call();
    } catch (error) {
        queueMicrotask(() => {
            throw error;
        });
    }
}
