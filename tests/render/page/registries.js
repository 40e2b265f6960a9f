// Fills the registries that Grafana fills when it starts: the standard options of fields, the transformations.

import {
  dataLinksOverrideProcessor,
  displayNameOverrideProcessor,
  identityOverrideProcessor,
  numberOverrideProcessor,
  standardEditorsRegistry,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  thresholdsOverrideProcessor,
  unitOverrideProcessor,
  valueMappingsOverrideProcessor,
} from '@grafana/data'

const STANDARD_OPTIONS = {
  displayName: displayNameOverrideProcessor,
  unit: unitOverrideProcessor,
  min: numberOverrideProcessor,
  max: numberOverrideProcessor,
  decimals: numberOverrideProcessor,
  fieldMinMax: identityOverrideProcessor,
  color: identityOverrideProcessor,
  noValue: identityOverrideProcessor,
  links: dataLinksOverrideProcessor,
  actions: identityOverrideProcessor,
  mappings: valueMappingsOverrideProcessor,
  thresholds: thresholdsOverrideProcessor,
  filterable: identityOverrideProcessor,
  description: identityOverrideProcessor,
}

/** An option of a field as the registries want it; nobody edits here, so it has no editor. */
export function fieldOption(path, process = identityOverrideProcessor, defaultValue = undefined) {
  return { id: path, path, name: path, editor: () => null, override: () => null, process, shouldApply: () => true, defaultValue }
}

export function fillRegistries() {
  standardEditorsRegistry.setInit(() => [])
  standardFieldConfigEditorRegistry.setInit(() =>
    Object.entries(STANDARD_OPTIONS).map(([path, process]) => fieldOption(path, process)),
  )
  standardTransformersRegistry.setInit(() =>
    [...new Map(Object.values(standardTransformers).map((each) => [each.id, each])).values()].map((transformation) => ({
      id: transformation.id,
      name: transformation.name,
      transformation: async () => transformation,
    })),
  )
}
