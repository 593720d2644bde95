import "./monaco";
import { createRoot } from "react-dom/client";
import { GraphiQL } from "graphiql";
import { explorerPlugin } from "@graphiql/plugin-explorer";
import "@graphiql/react/style.css";
import "graphiql/graphiql.css";
createRoot(document.getElementById("root")!).render(<GraphiQL plugins={[explorerPlugin()]} fetcher={async () => ({})} />);
