import { defineConfig } from "vite";

// The gateway's address has a stage, so every address in the page is relative.
export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    // Nothing is written into the page: its policy forbids it.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
});
