import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Compressed already, or never sent to a browser. */
const INCOMPRESSIBLE = /\.(woff2?|png|gz|br|md)$/;
const FONTS = ["@fontsource/ibm-plex-sans", "@fontsource/ibm-plex-mono"];

/** What the map knows of places. */
const PLACES = join(import.meta.dirname, "../../sandbox/world/data");

/** Vite lists the licences of packages that scripts import; those of fonts and places would be left out. */
function otherLicenses(file: string): Plugin {
  return {
    name: "other-licenses",
    apply: "build",
    closeBundle() {
      for (const name of FONTS) {
        const text = readFileSync(join(import.meta.dirname, "node_modules", name, "LICENSE"), "utf8");
        appendFileSync(file, `\n## ${name} (OFL-1.1)\n\n${text}`);
      }
      appendFileSync(file, `\n${readFileSync(join(PLACES, "LICENSE.md"), "utf8")}`);
    },
  };
}

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

/** Monaco's editors of differences come with the other one, whoever needs them. */
const UNUSED: Record<string, string> = {
  "/diffEditor/diffEditorWidget.js": "export class DiffEditorWidget {}",
  "/multiDiffEditor/multiDiffEditorWidget.js": "export class MultiDiffEditorWidget {}",
};

function trimmedMonaco(): Plugin {
  return {
    name: "trimmed-monaco",
    enforce: "pre",
    // How GraphQL is coloured is said here.
    resolveId: (source, importer) =>
      source === "./graphql.js" && importer?.endsWith("/graphql/graphql.contribution.js")
        ? join(import.meta.dirname, "src/graphql-language.ts")
        : undefined,
    load: (id) => Object.entries(UNUSED).find(([end]) => id.endsWith(end))?.[1],
  };
}

const STATIC = process.env.EXPLORER_OUT ?? join(import.meta.dirname, "../static");

export default defineConfig({
  base: "/explorer/",
  build: {
    outDir: STATIC,
    emptyOutDir: true,
    license: { fileName: "licenses.md" },
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
  plugins: [trimmedMonaco(), otherLicenses(join(STATIC, "licenses.md")), precompress(STATIC)],
});
