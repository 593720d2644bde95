import {
  getNullableType,
  isInputObjectType,
  isInputType,
  isNonNullType,
  Kind,
  TypeInfo,
  typeFromAST,
  visit,
  visitWithTypeInfo,
  type DocumentNode,
  type GraphQLInputType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type TypeNode,
  type ValueNode,
} from "graphql";

/** One value that an operation, or an input object, takes. */
export interface Wanted {
  name: string;
  type: GraphQLInputType;
  description: string | null;
  /** Whether leaving it out is an error. */
  isRequired: boolean;
  /** Which part of an owned number it is, where it is one. */
  owned: "sid" | "phoneNumber" | null;
}

/** The variables of an operation, with what the schema says of the places where they go. */
export function variablesOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): Wanted[] {
  const places = placesOf(schema, document);
  return (operation.variableDefinitions ?? []).flatMap(({ variable, type: node, defaultValue }) => {
    const name = variable.name.value;
    const type = inputType(schema, node);
    if (!type) return [];
    const { description = null, owned = null } = places.get(name) ?? {};
    return [{ name, type, description, isRequired: isNonNullType(type) && !defaultValue, owned }];
  });
}

/** The fields of an input object; of any other type none. */
export function fieldsOf(type: GraphQLInputType): Wanted[] {
  const named = getNullableType(type);
  if (!isInputObjectType(named)) return [];
  return Object.values(named.getFields()).map(({ name, type, description = null, defaultValue }) => ({
    name,
    type,
    description,
    isRequired: isNonNullType(type) && defaultValue === undefined,
    owned: ownedAs(name, named.name),
  }));
}

type Place = Pick<Wanted, "description" | "owned">;

function placesOf(schema: GraphQLSchema, document: DocumentNode): Map<string, Place> {
  const found = new Map<string, Place>();
  const info = new TypeInfo(schema);
  const note = (value: ValueNode, description: string | null | undefined, owned: Place["owned"]) => {
    if (value.kind === Kind.VARIABLE && !found.has(value.name.value))
      found.set(value.name.value, { description: description ?? null, owned });
  };
  visit(
    document,
    visitWithTypeInfo(info, {
      Argument: ({ name, value }) =>
        note(value, info.getArgument()?.description, ownedAs(name.value, info.getFieldDef()?.name)),
      ObjectField: ({ name, value }) => {
        const parent = getNullableType(info.getParentInputType());
        if (!isInputObjectType(parent)) return;
        note(value, parent.getFields()[name.value]?.description, ownedAs(name.value, parent.name));
      },
    }),
  );
  return found;
}

/** A sid is a number's wherever it is not an account's; a phone number is owned where it identifies one. */
function ownedAs(name: string, within: string | undefined): Wanted["owned"] {
  if (/^(sid|id)s?$/.test(name)) return within === "account" ? null : "sid";
  return name === "phoneNumber" && within === "PhoneNumberIdentifier" ? "phoneNumber" : null;
}

function inputType(schema: GraphQLSchema, node: TypeNode): GraphQLInputType | null {
  const type = typeFromAST(schema, node);
  return isInputType(type) ? type : null;
}
