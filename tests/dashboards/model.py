"""A dashboard's JSON as the checks see it: its panels, its variables, and its queries as syntax trees."""

import json
import re

import promql_parser

# Grafana's own variables that stand for a time, and one for each that nobody writes.
RATE_INTERVAL = "1h7s"
GRAFANA_VARIABLES = {"__rate_interval": RATE_INTERVAL, "__interval": "1h6s", "__range": "1h5s"}

# A variable as `$name`, `${name}` or `${name:format}`; not a field of a row, `${__data.fields.name}`.
VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::\w+)?\})")

# The query of a variable: label_values(selector, label) or query_result(expression).
VARIABLE_QUERY = re.compile(r"(label_values|query_result)\((.*)\)", re.DOTALL)


class Dashboard:
    """One dashboard, and the name of its file."""

    def __init__(self, name, text):
        self.name = name
        self.text = text
        self.json = json.loads(text)

    @property
    def panels(self):
        """All panels, those in collapsed rows too."""
        for panel in self.json["panels"]:
            yield panel
            yield from panel.get("panels", [])

    @property
    def charts(self):
        """The panels that are not headings."""
        return [panel for panel in self.panels if panel["type"] != "row"]

    @property
    def variables(self):
        """The variables by name."""
        return {variable["name"]: variable for variable in self.json["templating"]["list"]}

    @property
    def targets(self):
        """Each panel with each of its targets."""
        for panel in self.charts:
            for target in panel.get("targets", []):
                yield panel, target

    @property
    def annotations(self):
        """The annotations that are queries."""
        return [each for each in self.json["annotations"]["list"] if "expr" in each]

    @property
    def expressions(self):
        """All that Prometheus is asked: by whom, and what. Annotations and variables too."""
        for panel, target in self.targets:
            yield f"{panel['title']} {target['refId']}", target["expr"]
        for annotation in self.annotations:
            yield f"annotation {annotation['name']}", annotation["expr"]
        for name, variable in self.variables.items():
            expression = variable_expression(variable)
            if expression:
                yield f"variable {name}", expression


def variable_expression(variable):
    """The PromQL in a variable's query; nothing if it is not of a form that holds some."""
    query = variable.get("query")
    text = query.get("query", "") if isinstance(query, dict) else ""
    match = VARIABLE_QUERY.fullmatch(text)
    if not match:
        return None
    return match[2].rpartition(",")[0] if match[1] == "label_values" else match[2]


def substituted(expression):
    """The query with a time for each variable that stands for one. The others stand in strings."""
    return VARIABLE.sub(lambda match: GRAFANA_VARIABLES.get(match[1] or match[2], match[0]), expression)


def parsed(expression):
    """The query's syntax tree; nothing when it is not PromQL, which a rule of its own tells."""
    try:
        return promql_parser.parse(substituted(expression))
    except ValueError:
        return None


def nodes(expression):
    """Each node of a query with those above it, outermost first."""
    above, found = [], []

    def enter(node):
        found.append((node, tuple(above)))
        above.append(node)

    def leave(_):
        above.pop()

    tree = parsed(expression)
    if tree is not None:
        promql_parser.walk(tree, pre_visit=enter, post_visit=leave)
    return found


def selectors(expression):
    """Each vector selector with the nodes above it; that of a range has a MatrixSelector above it."""
    return [
        (node, above) for node, above in nodes(expression) if isinstance(node, promql_parser.VectorSelector)
    ]


def choices(selector):
    """What a selector chooses by a regular expression: pairs of label and value."""
    found = selector.matchers.matchers
    return {(each.name, each.value) for each in found if each.op == promql_parser.MatchOp.Re}
