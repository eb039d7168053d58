// A client that leaves while its handshake is under way: its socket has no parser any more and is not read yet, and a
// socket that is not read does not tell of its end.
import type { Duplex } from "node:stream";

const watched = new WeakSet<Duplex>();

/** Reads into the socket's own buffer only; what arrives stays there for whoever reads it later. */
export function watchDeparture(socket: Duplex): void {
  watched.add(socket);
  socket.on("readable", look);
  socket.on("end", leave);
}

export function endWatch(socket: Duplex): void {
  if (!watched.delete(socket)) return;
  socket.removeListener("readable", look);
  socket.removeListener("end", leave);
}

/** With nothing in the buffer, a read is what brings the end to light. */
function look(this: Duplex): void {
  if (this.readableLength === 0) this.read();
}

function leave(this: Duplex): void {
  this.destroy();
}
