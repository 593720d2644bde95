import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Formats that are compressed already gain nothing from a second pass. */
const INCOMPRESSIBLE = /\.(woff2?|png|gz|br)$/;

/** Write `.gz` and `.br` next to every built file, so that the server never compresses on request. */
function precompress(folder: string): Plugin {
  return {
    name: "precompress",
    apply: "build",
    closeBundle() {
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || INCOMPRESSIBLE.test(entry.name)) continue;
        const file = join(entry.parentPath, entry.name);
        const content = readFileSync(file);
        writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
        const params = {
          [constants.BROTLI_PARAM_QUALITY]: 11,
          [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
        };
        writeFileSync(`${file}.br`, brotliCompressSync(content, { params }));
      }
    },
  };
}

export default defineConfig({
  base: "/explorer/",
  build: {
    outDir: "../static",
    emptyOutDir: true,
    target: "es2022",
    // The content security policy allows fonts and images from files only.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4000,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      onLog(level, log, handler) {
        // "use client" marks mean something to server rendering only.
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") handler(level, log);
      },
    },
  },
  resolve: {
    alias: {
      "monaco-editor/esm/vs/editor/edcore.main.js": join(import.meta.dirname, "src/monaco-core.ts"),
    },
  },
  worker: { format: "es" },
  plugins: [precompress(join(import.meta.dirname, "../static"))],
});
