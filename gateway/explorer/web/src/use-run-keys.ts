import { useGraphiQLActions } from "@graphiql/react";
import { useEffect } from "react";

/**
 * Ctrl+Enter runs the operation wherever the focus is. Inside an editor GraphiQL sees to it, for the
 * operation at the cursor; while a question is open the keys do nothing.
 */
export function useRunKeys(): void {
  const { run } = useGraphiQLActions();
  useEffect(() => {
    const listener = (event: KeyboardEvent) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      if (event.target instanceof Element && event.target.closest(".monaco-editor")) return;
      event.preventDefault();
      event.stopPropagation();
      if (!event.repeat && !document.querySelector("dialog[open], [role=dialog]")) run();
    };
    // Before anything else: for the table, Enter alone is a click on the row's button.
    addEventListener("keydown", listener, true);
    return () => removeEventListener("keydown", listener, true);
  }, [run]);
}
