import { DOC_EXPLORER_PLUGIN, DocExplorer, useDocExplorerActions } from "@graphiql/plugin-doc-explorer";
import { pick, useGraphiQL, type GraphiQLPlugin } from "@graphiql/react";
import {
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  type GraphQLNamedType,
  type GraphQLSchema,
} from "graphql";
import { useDeferredValue, useMemo, useState } from "react";

/** Places that are shown at once. */
const MOST = 60;

type Definition = NonNullable<Parameters<ReturnType<typeof useDocExplorerActions>["push"]>[0]["def"]>;

/** Something in the schema that has a name, and what is said of it. */
interface Place {
  /** As people write it: `PhoneNumber.sid`, `Query.phoneNumbers(first:)`. */
  title: string;
  name: string;
  text: string;
  /** Where it is shown: an argument or an enum value has no page of its own. */
  page: { name: string; def: Definition };
}

/** The reference of the schema, with a search through all names and descriptions. */
export const DOCS_PLUGIN: GraphiQLPlugin = { ...DOC_EXPLORER_PLUGIN, content: () => <Docs /> };

function Docs() {
  const { schema } = useGraphiQL(pick("schema"));
  const { push } = useDocExplorerActions();
  const [typed, setTyped] = useState("");
  const wanted = useDeferredValue(typed.trim());
  const places = useMemo(() => (schema ? placesOf(schema) : []), [schema]);
  const found = useMemo(() => search(places, wanted), [places, wanted]);

  return (
    <div className="docs">
      <label className="docs-search">
        <span className="docs-search-label">Search names and descriptions</span>
        <input
          type="search"
          value={typed}
          placeholder="Search: webhook, rate center, …"
          autoComplete="off"
          spellCheck={false}
          onChange={({ target }) => setTyped(target.value)}
        />
      </label>
      {wanted ? (
        <>
          <p className="docs-count" role="status">
            {found.length === 0
              ? `Nothing in the schema speaks of “${wanted}”.`
              : `${found.length} ${found.length === 1 ? "place" : "places"}${found.length > MOST ? `, the first ${MOST}` : ""}`}
          </p>
          <ul className="docs-found">
            {found.slice(0, MOST).map(({ title, text, page }) => (
              <li key={title}>
                <button
                  type="button"
                  onClick={() => {
                    push(page);
                    setTyped("");
                  }}
                >
                  <code>{marked(title, wanted)}</code>
                  {text && <small>{marked(around(text, wanted), wanted)}</small>}
                </button>
              </li>
            ))}
          </ul>
        </>
      ) : (
        <DocExplorer />
      )}
    </div>
  );
}

function placesOf(schema: GraphQLSchema): Place[] {
  const types = Object.values(schema.getTypeMap()).filter((type) => !isIntrospectionType(type));
  return types.flatMap((type) => [placeOf(type.name, type, { name: type.name, def: type }), ...within(type)]);
}

function within(type: GraphQLNamedType): Place[] {
  const page = { name: type.name, def: type };
  if (isEnumType(type))
    return type.getValues().map((value) => placeOf(`${type.name}.${value.name}`, value, page));
  if (isInputObjectType(type))
    return Object.values(type.getFields()).map((field) =>
      placeOf(`${type.name}.${field.name}`, field, { name: field.name, def: field }),
    );
  if (!isObjectType(type) && !isInterfaceType(type)) return [];
  return Object.values(type.getFields()).flatMap((field) => {
    const own = { name: field.name, def: field };
    const title = `${type.name}.${field.name}`;
    const args = field.args.map((argument) => placeOf(`${title}(${argument.name}:)`, argument, own));
    return [placeOf(title, field, own), ...args];
  });
}

type Described = { name: string; description?: string | null | undefined };

function placeOf(title: string, { name, description }: Described, page: Place["page"]): Place {
  return { title, name, text: (description ?? "").replaceAll("`", "").replaceAll(/\s+/g, " "), page };
}

/** Names that begin so come first, then other names, then what is said. */
function search(places: Place[], wanted: string): Place[] {
  if (!wanted) return [];
  const sought = wanted.toLowerCase();
  const rank = ({ name, title, text }: Place) => {
    if (name.toLowerCase().startsWith(sought)) return 0;
    if (title.toLowerCase().includes(sought)) return 1;
    return text.toLowerCase().includes(sought) ? 2 : 3;
  };
  const ranked = places.map((place) => ({ place, at: rank(place) })).filter(({ at }) => at < 3);
  return ranked.sort((one, other) => one.at - other.at).map(({ place }) => place);
}

/** The part of a text in which a word stands. */
function around(text: string, wanted: string): string {
  const at = text.toLowerCase().indexOf(wanted.toLowerCase());
  const start = at > 60 ? text.indexOf(" ", at - 50) + 1 : 0;
  const part = text.slice(start, start + 140);
  return `${start > 0 ? "… " : ""}${part}${start + part.length < text.length ? " …" : ""}`;
}

function marked(text: string, wanted: string) {
  const at = text.toLowerCase().indexOf(wanted.toLowerCase());
  if (at < 0) return text;
  const end = at + wanted.length;
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, end)}</mark>
      {text.slice(end)}
    </>
  );
}
