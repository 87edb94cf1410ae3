// typed.ts: how a typed bot uses the package; tsc reads it with nothing but ES2022, nobody runs it.

import { BotkeepError, Keeper, type ErrorCode, type Job, type Progress } from "botkeep";

export async function main(steps: Progress[]): Promise<string | undefined> {
    const keeper: Keeper = await Keeper.open({ database: "bot.db", backup_keep: 7, backup_compress: "gzip" });
    const job = keeper.backup.create({ kind: "manual" }).onProgress((step) => steps.push(step));
    try {
        const made = await job;
        const rows: number = made.bytes + keeper.healthNow().uptime_ms;
        const names: string[] = (await keeper.backup.list({ limit: rows })).backups.map((each) => each.name);
        for await (const step of job.progress()) steps.push(step);
        for await (const event of keeper.events()) names.push(event.event);
        const pruned: string[] = made.pruned;
        const note: string | undefined = made.note;
        return await keeper.operation("/backup", () => names[0] ?? pruned[0] ?? note);
    } catch (error) {
        if (!(error instanceof BotkeepError)) throw error;
        const code: ErrorCode = error.code;
        return code;
    } finally {
        await keeper.shutdown(10_000);
    }
}

export function untyped(keeper: Keeper): Job<Record<string, unknown>> {
    return keeper.run("backup.list", { limit: 1 });
}

// What is wrong is seen before it runs.
export async function wrong(keeper: Keeper): Promise<void> {
    // @ts-expect-error: no such option
    await Keeper.open({ databse: "bot.db" });
    // @ts-expect-error: no such kind
    await keeper.backup.create({ kind: "weekly" });
    // @ts-expect-error: no such argument
    await keeper.backup.create({ knd: "manual" });
    // @ts-expect-error: a number
    await keeper.backup.list({ limit: "ten" });
}
