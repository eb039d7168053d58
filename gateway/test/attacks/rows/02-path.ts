// Paths that read as another path somewhere: what was decided on is what is sent, whatever reads it.
import { row } from "../row.ts";
import { requestLines, tap } from "../tap.ts";
import { refused, send, shown } from "../wire.ts";
import { messageIngresses, placeFor } from "../world.ts";

const CLASS = "path";

/** Each is /admin/keys for some server; the rule denies /admin/*. */
export const deniedSpellings = [
  "/admin/keys",
  "/admin",
  "/admin/",
  "/%61dmin/keys",
  "/%61%64%6D%69%6e/keys",
  "/./admin/keys",
  "/x/../admin/keys",
  "/x/%2e%2e/admin/keys",
  "/x/%2E./admin/keys",
  "/x/y/../../admin/keys",
  "/x/..%2fadmin/keys",
  "/x%2f..%2fadmin/keys",
  "/x%2F%2E%2E%2Fadmin%2Fkeys",
  "//admin/keys",
  "///admin//keys",
  "/.//admin/keys",
  "/;/admin/keys",
  "/;x=1/admin/keys",
  "/admin;x=1/keys",
  "/admin;/keys",
  "/x/..;/admin/keys",
  "/x/..;a=b/admin/keys",
  "/x/%2e%2e;/admin/keys",
  "/admin%2fkeys",
  "/admin%2Fkeys",
  "/%2fadmin/keys",
  "/%2e/admin/keys",
  "\\admin\\keys".replace("\\", "/"),
  "/admin\\keys",
  "/%5cadmin/keys",
  "/x/..\\admin/keys",
  "/x\\..\\admin\\keys",
  "/x%5c..%5cadmin%5ckeys",
  "/admin%5ckeys",
  "/%2561dmin/keys",
  "/%2561%2564min/keys",
  "/x/%252e%252e/admin/keys",
  "/x%252f..%252fadmin/keys",
  "/admin%252fkeys",
  "/admin%3fkeys/../keys",
  "/admin%3Fx",
  "/admin%23x",
  "/admin/keys%2f..%2f..%2fadmin",
  "/a/b/c/%2e%2e/%2e%2e/../admin/keys",
  "/admin/./keys",
  "/admin/x/../keys",
  "/admin%3bx/keys",
  "/%3b/admin/keys",
] as const;

/** What no two servers read alike; nothing of it may be forwarded. */
export const unreadable = [
  "/..",
  "/../admin",
  "/%2e%2e/etc",
  "/a/../../b",
  "/a/..%2f..%2fb",
  "/a%00b",
  "/%00",
  "/a%0d%0ab",
  "/a%0ab",
  "/a%7fb",
  "/a%2500b",
  "/%c0%ae%c0%ae/admin",
  "/%e0%80%af",
  "/%c0%af",
  "/%f8%80%80%80%af",
  "/%ed%a0%80",
  "/%ff",
  "/%zz",
  "/%",
  "/%2",
  "/%u0041",
  "/\u00e9",
  "/a\u0001b",
  "/a\tb",
  "/a\u007fb",
] as const;

const asWritten = [
  "/group%2Fproject",
  "/@scope%2fpkg",
  "/a//b",
  "/a;x=1/b",
  "/a/b;v=1.1",
  "/a%20b",
  "/a+b",
  "/:name/*",
  "/(a)/'b'!",
  "/caf%C3%A9",
  "/a%25b",
  "/v1/models:predict",
  "/~user/-_.x",
] as const;

const normalised: readonly (readonly [written: string, sent: string])[] = [
  ["/a/./b/%7Euser", "/a/b/~user"],
  ["/a/../b", "/b"],
  ["/a/b/..", "/a/"],
  ["/%41%2d%5f", "/A-_"],
  ["/a/%2e%2e/b?x=/../y", "/b?x=/../y"],
];

export const rows = [
  row({
    id: "02.1",
    class: CLASS,
    name: "No spelling of a denied path is permitted",
    ingresses: [...messageIngresses, "websocket"],
    needs: ["control"],
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      for (const path of deniedSpellings) {
        const seen = tap(world);
        const outcome = await send(world, ingress, place, { path });
        check(seen.all() === "", `${path} was forwarded as ${requestLines(seen.all()).join()}`);
        check(outcome.status === 403 || outcome.status === 400, `${path} got ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "02.2",
    class: CLASS,
    name: "Underflow, controls, malformed escapes and bytes beyond ASCII are refused",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      for (const path of unreadable) {
        const seen = tap(world);
        const outcome = await send(world, ingress, place, { path });
        check(refused(outcome) && seen.all() === "", `${JSON.stringify(path)} got ${shown(outcome)}`);
      }
    },
  }),
  row({
    id: "02.3",
    class: CLASS,
    name: "Paths that real interfaces need leave as they were written",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      for (const path of asWritten) {
        const seen = tap(world);
        const outcome = await send(world, ingress, place, { path });
        const sent = requestLines(seen.at(place)).join();
        check(sent === `GET ${path} HTTP/1.1`, `${path} got ${shown(outcome)}, sent "${sent}"`);
      }
    },
  }),
  row({
    id: "02.4",
    class: CLASS,
    name: "What was decided on is what is sent: dot segments resolved, needless escapes decoded",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      for (const [path, expected] of normalised) {
        const seen = tap(world);
        await send(world, ingress, place, { path });
        const sent = requestLines(seen.at(place)).join();
        check(sent === `GET ${expected} HTTP/1.1`, `${path} left as "${sent}"`);
      }
    },
  }),
  row({
    id: "02.5",
    class: CLASS,
    name: "The query leaves byte for byte",
    ingresses: messageIngresses,
    async on({ world, ingress, check }) {
      const place = placeFor(world, ingress);
      for (const query of ["?a=%2e%2e/%2F//;x\\", "?%41=%7e", "?a=b?c=d", "?", "?&&=", "?%zz=%"]) {
        const seen = tap(world);
        await send(world, ingress, place, { path: `/q${query}` });
        const sent = requestLines(seen.at(place)).join();
        check(sent === `GET /q${query} HTTP/1.1`, `${query} left as "${sent}"`);
      }
    },
  }),
  row({
    id: "02.6",
    class: CLASS,
    name: "A secret for /v1/* is placed only where every reading of the path is below /v1",
    ingresses: ["tunnel-tls", "absolute-tls", "websocket", "unix"],
    needs: ["control"],
    async on({ world, ingress, check }) {
      const { own, secret } = world;
      if (own === null || secret === null) return;
      for (const [path, isPlaced] of scopedPaths) {
        const seen = tap(world);
        await send(world, ingress, own.scoped, { path });
        const placed = seen.all().includes(secret);
        check(placed === isPlaced, `${path}: the secret was ${placed ? "" : "not "}placed`);
      }
    },
  }),
];

const scopedPaths: readonly (readonly [path: string, isPlaced: boolean])[] = [
  ["/v1/models", true],
  ["/v1", true],
  ["/%761/models", true],
  ["/v2/models", false],
  ["/v1x", false],
  ["/v1/../v2", false],
  ["/v1/..%2fv2", false],
  ["/v1%2f..%2fv2", false],
  ["/v1/..;/v2", false],
  ["/v1\\..\\v2", false],
  ["/v1/%252e%252e/v2", false],
  ["/v1%5c..%5cv2", false],
  ["/v2;/../v1", true],
  ["/v2;/..;/v1", false],
];
