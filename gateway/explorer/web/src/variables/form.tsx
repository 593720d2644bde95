import {
  getNullableType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  type GraphQLInputType,
} from "graphql";
import { useId, useState } from "react";
import { isObject, type Json, type JsonObject } from "../json";
import { spaced } from "../results/format";
import type { Owned } from "../touched";
import { fieldsOf, type Wanted } from "./wanted";

/** Absent is another thing than null: what is absent stays as it is, or takes its default. */
type Value = Json | undefined;

/** Owned numbers to choose from; they are read when somebody is about to choose. */
export interface Numbers {
  owned: Owned[];
  load(): void;
}

interface Props {
  wanted: Wanted;
  value: Value;
  change(value: Value): void;
  numbers: Numbers;
}

/** One value: its name, what the schema says of it, and what is typed or chosen. */
export function Field({ wanted, value, change, numbers }: Props) {
  const { name, type, description, isRequired } = wanted;
  const id = useId();
  const isNullable = !isNonNullType(type);
  const isGroup = isInputObjectType(getNullableType(type)) || isListType(getNullableType(type));
  const Label = isGroup ? "span" : "label";
  return (
    <div className="variable">
      <div className="variable-name">
        <Label {...(isGroup ? { id } : { htmlFor: id })}>
          {name}
          {isRequired && <abbr title="It has to be given">*</abbr>}
        </Label>
        <code>{String(type)}</code>
        {isNullable && (
          <button
            type="button"
            aria-pressed={value === null}
            title="Send null: in an input it clears what is set; left out, it stays as it is"
            onClick={() => change(value === null ? undefined : null)}
          >
            null
          </button>
        )}
      </div>
      {description && <small>{firstSentence(description)}</small>}
      {value !== null && <Control id={id} wanted={wanted} value={value} change={change} numbers={numbers} />}
    </div>
  );
}

type ControlProps = Omit<Props, "value"> & { id: string; value: Exclude<Value, null> };

function Control({ id, wanted, value, change, numbers }: ControlProps) {
  const type = getNullableType(wanted.type);
  if (isListType(type)) return <List {...{ id, wanted, value, change, numbers }} item={type.ofType} />;
  if (isInputObjectType(type)) return <Group {...{ wanted, value, change, numbers }} />;
  if (isEnumType(type) || type.name === "Boolean") {
    const choices = isEnumType(type) ? type.getValues().map((each) => each.name) : ["true", "false"];
    return (
      <select
        id={id}
        value={value === undefined ? "" : String(value)}
        onChange={({ target }) =>
          change(target.value === "" ? undefined : isEnumType(type) ? target.value : target.value === "true")
        }
      >
        <option value="">{wanted.isRequired ? "Choose…" : "left out"}</option>
        {choices.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    );
  }
  if (wanted.owned) return <OwnedNumber {...{ id, wanted, value, change, numbers }} part={wanted.owned} />;
  const isNumber = type.name === "Int" || type.name === "Float";
  return (
    <input
      id={id}
      type={isNumber ? "number" : "text"}
      step={type.name === "Float" ? "any" : undefined}
      value={value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value)}
      placeholder={wanted.isRequired ? undefined : "left out"}
      autoComplete="off"
      spellCheck={false}
      onChange={({ target }) =>
        change(target.value === "" ? undefined : isNumber ? Number(target.value) : target.value)
      }
    />
  );
}

/** An owned number: typed, or one of those that there are. */
function OwnedNumber({
  id,
  wanted,
  value,
  change,
  numbers,
  part,
}: ControlProps & { part: "sid" | "phoneNumber" }) {
  return (
    <div className="variable-owned">
      <input
        id={id}
        value={typeof value === "string" ? value : ""}
        autoComplete="off"
        spellCheck={false}
        onChange={({ target }) => change(target.value === "" ? undefined : target.value)}
      />
      <select
        aria-label={`Choose a number of yours for ${wanted.name}`}
        value=""
        onFocus={numbers.load}
        onChange={({ target }) => change(target.value)}
      >
        <option value="">Choose a number…</option>
        {numbers.owned.map((number) => (
          <option key={number.sid} value={number[part]}>
            {spaced(number.phoneNumber)}
          </option>
        ))}
      </select>
    </div>
  );
}

/** An input object: its fields, as soon as somebody opens it. */
function Group({ wanted, value, change, numbers }: Omit<ControlProps, "id">) {
  const given = isObject(value) ? value : {};
  const [isOpen, setOpen] = useState(wanted.isRequired || value !== undefined);
  return (
    <details open={isOpen} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary aria-label={`${wanted.name}: ${inBrief(given)}`}>{inBrief(given)}</summary>
      {isOpen &&
        fieldsOf(wanted.type).map((field) => (
          <Field
            key={field.name}
            wanted={field}
            value={given[field.name]}
            numbers={numbers}
            change={(next) => {
              const changed = withField(given, field.name, next);
              const isEmpty = Object.keys(changed).length === 0;
              change(isEmpty && !wanted.isRequired ? undefined : changed);
            }}
          />
        ))}
    </details>
  );
}

function List({ id, wanted, value, change, numbers, item }: ControlProps & { item: GraphQLInputType }) {
  // A single value stands for a list of it.
  const items = value === undefined ? [] : Array.isArray(value) ? value : [value];
  const put = (next: Json[]) => change(next.length === 0 && !wanted.isRequired ? undefined : next);
  const one: Wanted = { ...wanted, type: item, description: null, isRequired: true };
  return (
    <div role="group" aria-labelledby={id} className="variable-list">
      {items.map((each, at) => (
        <div key={at} className="variable-item">
          <Field
            wanted={{ ...one, name: `${wanted.name} ${at + 1}` }}
            value={each}
            numbers={numbers}
            change={(next) => put(items.with(at, next ?? ""))}
          />
          <button
            type="button"
            aria-label={`Remove ${wanted.name} ${at + 1}`}
            onClick={() => put(items.toSpliced(at, 1))}
          >
            Remove
          </button>
        </div>
      ))}
      <button
        type="button"
        onClick={() => put([...items, isInputObjectType(getNullableType(item)) ? {} : ""])}
      >
        Add {items.length === 0 ? "one" : "another"}
      </button>
    </div>
  );
}

/** `given` with a field set, in its old place if it had one, or left out. */
export function withField(given: JsonObject, name: string, value: Value): JsonObject {
  if (value !== undefined) return { ...given, [name]: value };
  const { [name]: _, ...others } = given;
  return others;
}

function inBrief(given: JsonObject): string {
  const names = Object.keys(given);
  return names.length === 0 ? "left out" : names.join(", ");
}

function firstSentence(text: string): string {
  const [first = ""] = text.split(/(?<=\.)\s/);
  return first.replaceAll("`", "");
}
