// The types of undici speak of the whole only; its pools are a quarter of what the whole would load.
declare module "undici/lib/dispatcher/pool.js" {
  import { Pool } from "undici";
  export default Pool;
}
