// What the package gives. Not the work: keeper.ts and job.ts. A bot imports this.

export { BotkeepError } from "./errors.js";
export type { ErrorCode } from "./abi.js";
export { Job, type Progress } from "./job.js";
export {
    Keeper,
    describe,
    version,
    type KeeperEvent,
    type KeeperOptions,
    type OperationInFlight,
    type OptionValue,
} from "./keeper.js";
export type * from "./operations.js";
