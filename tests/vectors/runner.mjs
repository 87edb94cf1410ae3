// runner.mjs: plays the vectors through the JavaScript binding, in Node and in Bun. Not a place for
// tests of JavaScript's own (tests/js). tests/vectors/run calls it with the vectors; README.md is the rule.

import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";

import { BotkeepError, Keeper } from "../../bindings/js/dist/index.js";
import { openDatabase, runtime } from "../../bindings/js/test/support.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));

class Wrong extends Error {}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const show = (value) => JSON.stringify(value);

class Story {
    constructor(data) {
        this.data = data;
        this.dir = fs.mkdtempSync(path.join(os.tmpdir(), "vector-"));
        this.saved = { dir: this.dir, redis: process.env.VECTORS_REDIS ?? "" };
        this.connections = new Map();
        this.options = this.fill(data.set ?? {});
    }

    // Texts and values.

    /** Replaces ${name} and $ref:name in all strings. */
    fill(value) {
        if (Array.isArray(value)) return value.map((inner) => this.fill(inner));
        if (isObject(value)) {
            return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, this.fill(inner)]));
        }
        if (typeof value !== "string") return value;
        if (value.startsWith("$ref:")) return this.saved[value.slice(5)];
        return value.replace(/\$\{(\w+)\}/g, (_, name) => String(this.saved[name]));
    }

    match(expected, found, where) {
        if (isObject(expected)) {
            if (!isObject(found)) throw new Wrong(`${where} is ${show(found)}`);
            for (const [name, inner] of Object.entries(expected)) {
                if (!(name in found)) throw new Wrong(`${where} has no ${name}`);
                this.match(inner, found[name], `${where}.${name}`);
            }
        } else if (Array.isArray(expected)) {
            if (!Array.isArray(found) || found.length !== expected.length) {
                throw new Wrong(`${where} is ${show(found)}, not ${expected.length} items`);
            }
            expected.forEach((inner, index) => this.match(inner, found[index], `${where}[${index}]`));
        } else if (typeof expected === "string" && /^\$[a-z]/.test(expected)) {
            if (!this.matchSpecial(expected, found)) throw new Wrong(`${where} is ${show(found)}, not ${expected}`);
        } else if (this.fill(expected) !== found) {
            throw new Wrong(`${where} is ${show(found)}, not ${show(expected)}`);
        }
    }

    matchSpecial(matcher, found) {
        if (matcher.startsWith("$re:")) {
            return typeof found === "string" && new RegExp(this.fill(matcher.slice(4))).test(found);
        }
        if (matcher.startsWith("$save:")) {
            this.saved[matcher.slice(6)] = found;
            return found !== null && found !== undefined;
        }
        if (matcher.startsWith("$ref:")) return found === this.saved[matcher.slice(5)];
        return {
            $int: Number.isInteger(found), $num: typeof found === "number", $bool: typeof found === "boolean",
            $str: typeof found === "string" && found !== "", $any: true, $null: found === null,
        }[matcher];
    }

    path(name) {
        return path.resolve(this.dir, this.fill(name));
    }

    // Files and SQL.

    async connection(name) {
        const file = this.path(name);
        if (!this.connections.has(file)) this.connections.set(file, await openDatabase(file));
        return this.connections.get(file);
    }

    closeConnections() {
        for (const connection of this.connections.values()) connection.close();
        this.connections.clear();
    }

    async makeFile(name, content) {
        fs.mkdirSync(path.dirname(this.path(name)), { recursive: true });
        if ("sql" in content) {
            const file = content.sql.endsWith(".sql");
            (await this.connection(name)).exec(file ? fs.readFileSync(path.join(here, content.sql), "utf8") : content.sql);
            return;
        }
        fs.writeFileSync(this.path(name), "hex" in content ? Buffer.from(content.hex, "hex") : content.text);
    }

    flipByte(file, at) {
        const data = fs.readFileSync(file);
        data[at < 0 ? data.length + at : at] ^= 0xff;
        fs.writeFileSync(file, data);
    }

    async fileStep(kind, step) {
        const file = this.path(step[kind]);
        switch (kind) {
            case "write_file": return this.makeFile(step[kind], step);
            case "truncate": return fs.truncateSync(file, step.size);
            case "flip_byte": return this.flipByte(file, step.at);
            case "mkdir": return fs.mkdirSync(file);
            case "remove": return fs.rmSync(file, { recursive: true });
            case "chmod": return fs.chmodSync(file, parseInt(step.mode, 8));
            case "list": return this.match(step.names, fs.readdirSync(file).sort(), "names");
            case "mode_of": {
                const mode = (fs.statSync(file).mode & 0o7777).toString(8).padStart(4, "0");
                return this.match(step.is, mode, "mode");
            }
            default: throw new Wrong(`no step is called ${kind}`);
        }
    }

    // The keeper.

    async open() {
        this.keeper = await Keeper.open({ options: this.options });
        this.events = [];
        this.keeper.onEvent((event) => this.events.push(event));
    }

    /** Runs work and compares its result or its error. */
    async expect(expected, work) {
        let result;
        try {
            result = await work();
        } catch (error) {
            if (!(error instanceof BotkeepError)) throw error;
            if (!("error" in expected)) throw new Wrong(`${error.code}: ${error.message}`);
            this.match(expected.error, error.code, `error (${error.message})`);
            this.match(expected.message ?? "$any", error.message, "message");
            this.match(expected.result ?? "$any", error.result, "result");
            return;
        }
        if ("error" in expected) throw new Wrong(`it went well, not ${expected.error}: ${show(result)}`);
        this.match(expected.result ?? "$any", result, "result");
    }

    async eventStep(step) {
        for (const end = Date.now() + 10_000; Date.now() < end;) {
            const event = this.events.shift();
            if (event?.event === step.event) return this.match(step.expect, event, step.event);
            if (!event) await new Promise((resolve) => setTimeout(resolve, 5));
        }
        throw new Wrong(`no event ${step.event} came`);
    }

    async step(step) {
        const kind = Object.keys(step)[0];
        const expected = step.expect ?? {};
        if (kind === "run") {
            await this.expect(expected, () => this.keeper.run(step.run, "args" in step ? this.fill(step.args) : undefined));
        } else if (kind === "sql" && "do" in step) {
            (await this.connection(step.sql)).exec(this.fill(step.do));
        } else if (kind === "sql") {
            this.match(step.rows, (await this.connection(step.sql)).rows(this.fill(step.query)), "rows");
        } else if (kind === "host_close") {
            this.connections.get(this.path(step[kind])).close();
            this.connections.delete(this.path(step[kind]));
        } else if (kind === "event") {
            await this.eventStep(step);
        } else if (kind === "get") {
            this.match(step.value, this.keeper.get(step.get), step.get);
        } else if (kind === "report") {
            await this.expect(expected, () => this.keeper.report(...step.report));
        } else if (kind === "beat") {
            await this.expect(expected, () => this.keeper.beat(step.beat));
        } else if (kind === "restart") {
            this.closeConnections();
            await this.keeper.shutdown(60000);
            Object.assign(this.options, this.fill(step.restart));
            await this.open();
        } else {
            await this.fileStep(kind, step);
        }
    }

    async play() {
        let where = "files";
        try {
            for (const [name, content] of Object.entries(this.data.files ?? {})) await this.makeFile(name, content);
            where = "open";
            await this.expect(this.data.open ?? {}, () => this.open());
            for (const [index, step] of (this.data.steps ?? []).entries()) {
                where = `step ${index + 1} (${Object.keys(step)[0]})`;
                await this.step(step);
            }
            where = "the end";
            this.closeConnections();
            await this.keeper?.shutdown(60000);
        } catch (error) {
            return `${where}: ${error.message}`;
        } finally {
            this.keeper?.close();
            this.closeConnections();
            fs.rmSync(this.dir, { recursive: true, force: true });
        }
        return null;
    }
}

for (const file of process.argv.slice(2)) {
    const name = `${runtime} ${path.basename(file, ".json")}`;
    const wrong = await new Story(JSON.parse(fs.readFileSync(file, "utf8"))).play();
    if (wrong) process.exitCode = 1;
    console.log(wrong ? `not ok ${name} - ${wrong}` : `ok ${name}`);
}
