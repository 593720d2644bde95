import "./styles/index.css";
import { prepareFirstPage } from "./first-page";
import { loadSettings } from "./settings";

/** The shell in the page is drawn before any of this has come; it stays until the app can replace it. */
async function start(): Promise<void> {
  const root = document.getElementById("root");
  const topbar = document.getElementById("topbar");
  if (!root || !topbar) throw new Error("The page has no place for the explorer.");
  try {
    const asked = loadSettings();
    const whole = import("./mount");
    const settings = await asked;
    prepareFirstPage(root, settings);
    const { mount } = await whole;
    mount(root, topbar, settings);
  } catch (error) {
    const note = document.getElementById("shell-note");
    if (note)
      note.textContent = `The explorer cannot start: ${error instanceof Error ? error.message : String(error)}`;
    throw error;
  }
}

void start();
