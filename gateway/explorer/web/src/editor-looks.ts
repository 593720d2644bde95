import { pick, useGraphiQL, useGraphiQLActions, useMonaco } from "@graphiql/react";
import { useEffect } from "react";

/** Names under which `GraphiQL` is told to find the two themes. */
export const EDITOR_THEME = { light: "number-gateway-light", dark: "number-gateway-dark" };

const LIGHT = {
  ink: "1f2933",
  faint: "6b7580",
  copper: "a84a17",
  blue: "2b5a99",
  green: "2a7152",
  violet: "6450a3",
  amber: "8a5a00",
};
const DARK = {
  ink: "dfe4ea",
  faint: "8792a0",
  copper: "e8935a",
  blue: "86b5ee",
  green: "74cda6",
  violet: "bbaef2",
  amber: "e3bb66",
};

function rules(colors: typeof LIGHT) {
  return [
    { token: "", foreground: colors.ink },
    { token: "comment", foreground: colors.faint, fontStyle: "italic" },
    { token: "keyword", foreground: colors.copper },
    { token: "type.identifier", foreground: colors.violet },
    { token: "key.identifier", foreground: colors.ink },
    { token: "argument.identifier", foreground: colors.blue },
    { token: "string", foreground: colors.green },
    { token: "number", foreground: colors.amber },
    { token: "delimiter", foreground: colors.faint },
    { token: "string.key.json", foreground: colors.blue },
    { token: "string.value.json", foreground: colors.green },
    { token: "keyword.json", foreground: colors.copper },
  ];
}

/** Give the four editors this page's colours, type and names, and a way out for the keyboard. */
export function useEditorLooks(): void {
  const monaco = useMonaco((state) => state.monaco);
  const { theme, ...editors } = useGraphiQL(
    pick("theme", "queryEditor", "variableEditor", "headerEditor", "responseEditor"),
  );
  const { queryEditor, variableEditor, headerEditor, responseEditor } = editors;
  const { setTheme } = useGraphiQLActions();

  useEffect(() => {
    if (!monaco) return undefined;
    monaco.editor.defineTheme(EDITOR_THEME.light, {
      base: "vs",
      inherit: true,
      rules: rules(LIGHT),
      colors: {
        "editor.background": "#ffffff00",
        "editorLineNumber.foreground": "#a3abb3",
        "editorCursor.foreground": "#a84a17",
        "editor.selectionBackground": "#f1d9c9",
        "editorBracketMatch.border": "#c98a63",
        "editorBracketMatch.background": "#f6e9df",
        focusBorder: "#a84a17",
      },
    });
    monaco.editor.defineTheme(EDITOR_THEME.dark, {
      base: "vs-dark",
      inherit: true,
      rules: rules(DARK),
      colors: {
        "editor.background": "#ffffff00",
        "editorLineNumber.foreground": "#566170",
        "editorCursor.foreground": "#e8935a",
        "editor.selectionBackground": "#4a3425",
        "editorBracketMatch.border": "#8d5b39",
        "editorBracketMatch.background": "#2d221b",
        focusBorder: "#e8935a",
      },
    });
    setTheme(theme);
    // Monaco measures characters once; the face may have come later.
    void document.fonts.ready.then(() => monaco.editor.remeasureFonts());
    // Without a choice of its own the page follows the system, and Monaco has to be told.
    const system = matchMedia("(prefers-color-scheme: dark)");
    const follow = () => setTheme(theme);
    system.addEventListener("change", follow);
    return () => system.removeEventListener("change", follow);
  }, [monaco, theme, setTheme]);

  useEffect(() => {
    const named = {
      Operation: queryEditor,
      Variables: variableEditor,
      Headers: headerEditor,
      Response: responseEditor,
    };
    for (const [ariaLabel, editor] of Object.entries(named)) {
      editor?.updateOptions({
        ariaLabel: `${ariaLabel}. Escape leaves the editor.`,
        fontFamily: '"IBM Plex Mono", ui-monospace, monospace',
        fontSize: 13,
        lineHeight: 21,
        padding: { top: 10, bottom: 10 },
        lineDecorationsWidth: 12,
        wordWrap: "on",
        renderLineHighlight: "none",
      });
      editor?.getModel()?.updateOptions({
        bracketColorizationOptions: { enabled: false, independentColorPoolPerBracketType: false },
      });
      editor?.addAction({
        id: "leave-editor",
        label: "Leave the editor",
        keybindings: [monaco?.KeyCode.Escape ?? 9],
        precondition: "!suggestWidgetVisible && !findWidgetVisible && !editorHoverVisible && !hasNextTabstop",
        // The section around the editor takes the focus: Tab goes on from there, Enter comes back.
        run: () => editor.getContainerDomNode().focus(),
      });
    }
  }, [monaco, queryEditor, variableEditor, headerEditor, responseEditor]);
}
