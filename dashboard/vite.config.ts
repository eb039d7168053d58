// Everything in files of its own: the gateway's Content-Security-Policy allows no inline script or style.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** `npm run dev` answers under the gateway's own name, so that its Host check holds. */
const GATEWAY = "http://127.0.0.1:10254";

export default defineConfig({
  plugins: [react()],
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { proxy: { "/v1": { target: GATEWAY, changeOrigin: true }, "/healthz": GATEWAY } },
});
