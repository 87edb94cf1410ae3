// Where the library and the addon are. Not their loading: node.ts and bun.ts.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { BotkeepError } from "../errors.js";

const LIBRARY = "libbotkeep.so.0";
const ADDON = "botkeep.node";

/** Named by BOTKEEP_LIBRARY, else the package's own folder lib, else the repository's build. */
function folders(): string[] {
    const named = process.env["BOTKEEP_LIBRARY"];
    if (named) return [dirname(named)];
    const top = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
    return [join(top, "lib"), join(top, "..", "..", "build", "release")];
}

/** The library for Bun: a path, or the bare name, which the system looks up. */
export function library(): string {
    const found = folders().map((folder) => join(folder, LIBRARY)).find(existsSync);
    return process.env["BOTKEEP_LIBRARY"] || (found ?? LIBRARY);
}

/** The addon for Node; it finds the library beside itself. */
export function addon(): string {
    const tried = folders().map((folder) => join(folder, ADDON));
    const found = tried.find(existsSync);
    if (found !== undefined) return found;
    throw new BotkeepError("BK_EUNSUPPORTED", `there is no ${tried.join(" and no ")}. Nothing was `
        + "touched. Build it with ./dev build, or set BOTKEEP_LIBRARY to the library beside it.");
}
