// The part of Bun's own modules that bun.ts and bun-library.ts use; Bun's types are not needed to
// build the package.

declare module "bun:ffi" {
    type Declaration = { args: string[]; returns: string };
    export function dlopen(path: string, symbols: Record<string, Declaration>): {
        symbols: Record<string, (...args: unknown[]) => unknown>;
    };
    export function toArrayBuffer(pointer: number, offset?: number): ArrayBuffer;
}

declare const Bun: { file(fd: number): { stream(): ReadableStream<Uint8Array> } };
