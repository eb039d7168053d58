// Structured log on standard error. Callers pass names, codes and counts; never values, bodies or fields.
import pino from "pino";

export type Log = pino.Logger;

export function createLog(level: string): Log {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  );
}
