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
  surface: "ffffff",
  sunken: "f1eee7",
  line: "cfc9bb",
  soft: "f8ebe1",
  selection: "f1d9c9",
  bracket: "c98a63",
  lineNumber: "6b7580",
  slider: "6b7580",
};
const DARK: typeof LIGHT = {
  ink: "dfe4ea",
  faint: "8792a0",
  copper: "e8935a",
  blue: "86b5ee",
  green: "74cda6",
  violet: "bbaef2",
  amber: "e3bb66",
  surface: "161b22",
  sunken: "1c222a",
  line: "3a434f",
  soft: "2d221b",
  selection: "4a3425",
  bracket: "8d5b39",
  lineNumber: "8792a0",
  slider: "8792a0",
};

/** Which colour each part of Monaco has: the editor, and all that it lays over it. */
const PARTS: Record<string, keyof typeof LIGHT> = {
  "editorLineNumber.foreground": "lineNumber",
  "editorLineNumber.activeForeground": "ink",
  "editorCursor.foreground": "copper",
  "editor.selectionBackground": "selection",
  "editorBracketMatch.border": "bracket",
  "editorBracketMatch.background": "soft",
  focusBorder: "copper",
  foreground: "ink",
  "editorWidget.background": "surface",
  "editorWidget.foreground": "ink",
  "editorWidget.border": "line",
  "editorSuggestWidget.background": "surface",
  "editorSuggestWidget.foreground": "ink",
  "editorSuggestWidget.border": "line",
  "editorSuggestWidget.highlightForeground": "copper",
  "editorSuggestWidget.focusHighlightForeground": "copper",
  "editorSuggestWidget.selectedBackground": "soft",
  "editorSuggestWidget.selectedForeground": "ink",
  "editorSuggestWidget.selectedIconForeground": "ink",
  "editorHoverWidget.background": "surface",
  "editorHoverWidget.foreground": "ink",
  "editorHoverWidget.border": "line",
  "editorHoverWidget.statusBarBackground": "sunken",
  "symbolIcon.fieldForeground": "blue",
  "quickInput.background": "surface",
  "quickInput.foreground": "ink",
  "quickInputList.focusBackground": "soft",
  "quickInputList.focusForeground": "ink",
  "pickerGroup.foreground": "copper",
  "pickerGroup.border": "line",
  "list.hoverBackground": "sunken",
  "list.focusBackground": "soft",
  "list.focusForeground": "ink",
  "list.highlightForeground": "copper",
  "list.focusHighlightForeground": "copper",
  "input.background": "surface",
  "input.foreground": "ink",
  "input.border": "line",
  "input.placeholderForeground": "faint",
  "inputOption.activeBackground": "soft",
  "inputOption.activeForeground": "ink",
  "inputOption.activeBorder": "copper",
  "keybindingLabel.background": "sunken",
  "keybindingLabel.foreground": "ink",
  "keybindingLabel.border": "line",
  "keybindingLabel.bottomBorder": "line",
  "menu.background": "surface",
  "menu.foreground": "ink",
  "menu.selectionBackground": "soft",
  "menu.selectionForeground": "ink",
  "menu.separatorBackground": "line",
  "menu.border": "line",
  "textLink.foreground": "blue",
  "textLink.activeForeground": "blue",
  "textCodeBlock.background": "sunken",
  "peekViewEditor.background": "sunken",
  "peekViewResult.background": "surface",
  "peekViewTitle.background": "sunken",
};

function parts(colors: typeof LIGHT): Record<string, string> {
  const painted = Object.entries(PARTS).map(([part, color]) => [part, `#${colors[color]}`]);
  return { ...Object.fromEntries(painted), "editor.background": `#${colors.surface}00`, ...slider(colors) };
}

function slider({ slider }: typeof LIGHT): Record<string, string> {
  return {
    "scrollbarSlider.background": `#${slider}55`,
    "scrollbarSlider.hoverBackground": `#${slider}88`,
    "scrollbarSlider.activeBackground": `#${slider}aa`,
  };
}

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
      colors: parts(LIGHT),
    });
    monaco.editor.defineTheme(EDITOR_THEME.dark, {
      base: "vs-dark",
      inherit: true,
      rules: rules(DARK),
      colors: parts(DARK),
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
