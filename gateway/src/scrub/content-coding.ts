// Content codings (RFC 9110 section 8.4.1) that can be undone, so that what is inside can be searched.
import type { Transform } from "node:stream";
import zlib from "node:zlib";

/** null = nothing to undo; undefined = a coding that nobody here knows, or more of them than one */
export function decoderOf(contentEncoding: string | undefined): Transform | null | undefined {
  const codings = (contentEncoding ?? "")
    .split(",")
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== "" && coding !== "identity");
  if (codings.length === 0) return null;
  return codings.length === 1 ? decoders[codings[0] as string]?.() : undefined;
}

/** What has arrived is given on at once: an event stream may be compressed too. */
const decoders: Readonly<Record<string, () => Transform>> = {
  // Several members in a row are one body (RFC 1952 section 2.2).
  gzip: () => zlib.createGunzip({ flush: zlib.constants.Z_SYNC_FLUSH }),
  "x-gzip": () => zlib.createGunzip({ flush: zlib.constants.Z_SYNC_FLUSH }),
  deflate: () => zlib.createInflate({ flush: zlib.constants.Z_SYNC_FLUSH }),
  br: () => zlib.createBrotliDecompress({ flush: zlib.constants.BROTLI_OPERATION_FLUSH }),
  zstd: () => zlib.createZstdDecompress({ flush: zlib.constants.ZSTD_e_flush }),
};
