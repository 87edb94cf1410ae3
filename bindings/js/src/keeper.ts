// The keeper as a bot sees it: options, opening and closing, what a bot reports. Not its operations
// (operations.ts, generated) nor its events' way (core.ts).

/// <reference lib="esnext.disposable" preserve="true" />

import { Core, optionText, type KeeperEvent } from "./core.js";
import { BotkeepError, check, text } from "./errors.js";
import type { Job } from "./job.js";
import {
    Namespaces, type HealthSnapshotResult, type Options, type StoreSaveArgs, type StoreSaveResult, type Url,
} from "./operations.js";
import { load } from "./platform/index.js";

export type { KeeperEvent } from "./core.js";
export type OptionValue = string | number | bigint | boolean | Url | null | undefined;

export interface KeeperOptions extends Options {
    /** Options under the names they have everywhere else: {"backup.dir": "backups"}. */
    options?: Record<string, OptionValue>;
}

/** A command of the bot in flight: end() it, or let `using` do so. */
export interface OperationInFlight {
    readonly id: number;
    end(): void;
    [Symbol.dispose](): void;
}

// Node 18 lacks the symbols; TypeScript's own output for `await using` looks for these names.
const symbols = Symbol as unknown as Record<string, symbol>;
symbols["asyncDispose"] ??= Symbol.for("Symbol.asyncDispose");
symbols["dispose"] ??= Symbol.for("Symbol.dispose");

/** A keeper that is collected while open is closed, as bk_close() is made for. */
const collected = new FinalizationRegistry<Core>((core) => core.close());

/**
 * One bot's data under care. Open it before the bot opens its database:
 *
 *     await using keeper = await Keeper.open({ database: "bot.db", backup_keep: 7 });
 *     const backup = await keeper.backup.create({ kind: "manual" });
 */
export class Keeper extends Namespaces implements AsyncDisposable {
    private ending: Promise<void> | undefined;

    private constructor(private readonly core: Core) {
        super();
        collected.register(this, core, this);
    }

    /** Makes a keeper with these options and opens it, off the event loop. */
    static async open(options: KeeperOptions = {}): Promise<Keeper> {
        const platform = await load();
        const handle = platform.library.bk_new();
        if (handle === null) throw new BotkeepError("BK_ENOMEM", platform.library.bk_last_error() ?? "");
        const core = new Core(platform, handle);
        try {
            for (const [name, value] of allOptions(options)) {
                check(platform.library, platform.library.bk_set(handle, text(name, "an option"),
                    value === null ? null : optionText(value, name)));
            }
            await core.open();
        } catch (error) {
            core.close();
            throw error;
        }
        return new Keeper(core);
    }

    /** The option's value in force; secrets are "***". */
    get(option: string): string {
        const { library } = this.core.platform;
        return this.text(library.bk_get(this.core.handle, text(option, "the option")));
    }

    /** Starts any operation by name. keeper.backup.create(...) and its like call it. */
    run<T = Record<string, unknown>>(operation: string, args?: object | null): Job<T> {
        return this.core.run<T>(operation, args, this);
    }

    /**
     * For a database kept in memory (sql.js), with the option database.memory: proves the image and
     * puts it in the place of the database's file, in one step.
     *
     *     await keeper.save(db.export(), { backup: "auto" });
     */
    save(image: Uint8Array, args: StoreSaveArgs = {}): Job<StoreSaveResult> {
        return this.core.save<StoreSaveResult>(image, args, this);
    }

    /**
     * Waits for running work at most graceMs, makes the last backup, marks the run as cleanly
     * ended, and closes. Rejects with BK_ECANCELLED when something had to be cut off. A second
     * call, as from a second signal, waits for the first.
     */
    async shutdown(graceMs = 30000): Promise<void> {
        const grace = whole(graceMs, "graceMs");
        collected.unregister(this);
        await (this.ending ??= this.core.shutdown(grace));
    }

    /** Gives the keeper up at once; running jobs are cancelled. May be repeated. */
    close(): void {
        collected.unregister(this);
        this.core.close();
    }

    async [Symbol.asyncDispose](): Promise<void> {
        if (!this.core.isClosed) await this.shutdown();
    }

    /**
     * Every event that is no job's own: run, health, log, overflow. What came before the first
     * listener is kept for it. Returns what stops it.
     */
    onEvent(callback: (event: KeeperEvent) => void): () => void {
        return this.core.listen(callback);
    }

    /** The same to iterate over; it ends when the keeper has closed. */
    async *events(): AsyncGenerator<KeeperEvent, void, undefined> {
        const waiting: KeeperEvent[] = [];
        let ring = (): void => {};
        let over = false;
        const stop = this.core.listen((event) => {
            waiting.push(event);
            ring();
        }, () => {
            over = true;
            ring();
        });
        try {
            for (;;) {
                while (waiting.length > 0) yield waiting.shift() as KeeperEvent;
                if (over) return;
                await new Promise<void>((resolve) => (ring = resolve));
            }
        } finally {
            stop();
        }
    }

    /** The named event loop is alive: call it from a timer of that loop. */
    beat(loop = "main"): void {
        const { library } = this.core.platform;
        check(library, library.bk_beat(this.core.handle, text(loop, "the loop")));
    }

    /** A measurement of the bot's own, good for ttlMs. */
    report(name: string, level: "healthy" | "degraded" | "unhealthy", message: string | null = null,
        ttlMs = 60000): void {
        const { library } = this.core.platform;
        check(library, library.bk_report(this.core.handle, text(name, "the check"),
            text(level, "the level"), message === null ? null : text(message, "the message"),
            whole(ttlMs, "ttlMs")));
    }

    /**
     * What health.snapshot answers, in microseconds and without a job; the database's part is as
     * old as its age_ms says.
     */
    healthNow(): HealthSnapshotResult {
        const { library } = this.core.platform;
        return JSON.parse(this.text(library.bk_health(this.core.handle))) as HealthSnapshotResult;
    }

    private text(answer: string | null): string {
        if (answer !== null) return answer;
        // A null brings no number along: with a live keeper it is the name that is wrong.
        const code = this.core.isClosed ? "BK_EHANDLE" : "BK_ENOTFOUND";
        throw new BotkeepError(code, this.core.platform.library.bk_last_error() ?? "");
    }

    /** A command of the bot is in flight; shutdown waits for it. BK_ESTATE once shutting down. */
    operation(label: string): OperationInFlight;
    operation<T>(label: string, work: () => T | PromiseLike<T>): Promise<T>;
    operation<T>(label: string, work?: () => T | PromiseLike<T>): OperationInFlight | Promise<T> {
        const { library } = this.core.platform;
        const id = check(library, library.bk_begin(this.core.handle, text(label, "the label")));
        // The keeper may have closed meanwhile, which ended it: the answer does not matter.
        const end = (): void => void library.bk_end(this.core.handle, id);
        if (work === undefined) return { id, end, [Symbol.dispose]: end };
        return (async () => work())().finally(end);
    }
}

function* allOptions(options: KeeperOptions): Generator<[string, OptionValue]> {
    if (typeof options !== "object" || options === null) {
        throw new BotkeepError("BK_EINVAL",
            'The options must be an object such as {database: "bot.db"}. Nothing was done.');
    }
    for (const [name, value] of Object.entries(options)) {
        if (value === undefined) continue;
        if (name === "options") yield* Object.entries((value ?? {}) as Record<string, OptionValue>);
        else yield [name.replaceAll("_", "."), value as OptionValue];
    }
}

function whole(value: number, what: string): number {
    if (Number.isInteger(value) && value >= 0 && value <= 2147483647) return value;
    throw new BotkeepError("BK_EINVAL",
        `${what} must be a whole number of milliseconds from 0 to 2147483647. Nothing was done.`);
}

/** Every option, operation, error and event of the loaded library. */
export async function describe(): Promise<Record<string, unknown>> {
    return JSON.parse((await load()).library.bk_describe() ?? "{}") as Record<string, unknown>;
}

/** The version of the loaded library. */
export async function version(): Promise<string> {
    return (await load()).library.bk_version() ?? "";
}
