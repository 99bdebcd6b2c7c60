"""Reading a page of metrics as Prometheus does."""

from prometheus_client.parser import text_string_to_metric_families

Sample = dict[str, str]


def samples(page: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Give every sample by its name and its labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def value(page: str, name: str, **labels: str) -> float:
    """Give one sample."""
    return samples(page)[name, tuple(sorted(labels.items()))]


def families(page: str) -> dict[str, set[str]]:
    """Give the label names of each metric that has samples, and of those without."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(page):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = labels
    return found
