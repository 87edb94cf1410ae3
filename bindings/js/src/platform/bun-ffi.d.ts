// The part of Bun's own modules that bun.ts and bun-worker.ts use; Bun's types are not needed to
// build the package.

declare module "bun:ffi" {
    type Declaration = { args: string[]; returns: string };
    export function dlopen(path: string, symbols: Record<string, Declaration>): {
        symbols: Record<string, (...args: unknown[]) => unknown>;
    };
    export function toArrayBuffer(pointer: number, offset?: number): ArrayBuffer;
}

interface BunWorker {
    onmessage: ((event: { data: unknown }) => void) | null;
    onerror: ((event: { message: string }) => void) | null;
    postMessage(message: unknown): void;
    terminate(): void;
}

declare const Bun: { file(fd: number): { stream(): ReadableStream<Uint8Array> } };
declare const Worker: new (url: string) => BunWorker;
declare const self: BunWorker;
