import { defineConfig } from "vite";

// The gateway's address has a stage, so every address in the page is relative.
export default defineConfig({
  base: "./",
  build: {
    // The page, and the API reference, which is fetched by those alone who open it.
    rolldownOptions: {
      input: ["index.html", "docs.html"],
      // What nearly all screens are made of is one file: the first screen is made of few.
      output: {
        codeSplitting: { groups: [{ name: "parts", test: /components\/(figure|risk)\.tsx$|\/words\.ts$/ }] },
      },
    },
    target: "es2022",
    modulePreload: { polyfill: false },
    // Nothing is written into the page: its policy forbids it.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
});
