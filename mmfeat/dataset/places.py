"""Where the objects of a file really are: a dataset file holds all of its content itself, and it can be decoded."""

from __future__ import annotations

from collections.abc import Iterator

import h5py


def links_elsewhere(file: h5py.File) -> Iterator[tuple[str, str]]:
    """Yield (path, sentence) of every link that is not the object itself; none is followed."""
    pending = [("", file)]
    visited = {h5py.h5o.get_info(file.id).addr}  # a group may be linked into itself
    while pending:
        path, group = pending.pop()
        for name in group:
            link = group.get(name, getlink=True)
            where = f"{path}/{name}"
            if not isinstance(link, h5py.HardLink):
                yield where, f"expected the object itself, got a {type(link).__name__}"
            elif isinstance(group[name], h5py.Group):
                address = h5py.h5o.get_info(group[name].id).addr
                if address in visited:
                    yield where, "expected one path to a group, got a second one"
                    continue
                visited.add(address)
                pending.append((where, group[name]))


def unreadable_storage(file: h5py.File) -> Iterator[tuple[str, str]]:
    """Yield (path, sentence) of every dataset whose values lie in other files or need an unknown filter.

    All links have to be objects of the file itself.
    """
    datasets: list[tuple[str, h5py.Dataset]] = []
    file.visititems(lambda name, item: datasets.append((name, item)) if isinstance(item, h5py.Dataset) else None)
    for name, dataset in datasets:
        if sentence := _storage_fault(dataset):
            yield f"/{name}", sentence


def _storage_fault(dataset: h5py.Dataset) -> str:
    if dataset.is_virtual or dataset.external:
        return "expected the values in this file, got a place in another one"
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(index) for index in range(properties.get_nfilters())]
    unknown = [f"{code} {name.decode(errors='replace')}" for code, _, _, name in filters if not _is_known(code)]
    return f"expected a filter that is installed, got number {unknown[0].strip()}" if unknown else ""


def _is_known(code: int) -> bool:
    return bool(h5py.h5z.filter_avail(code))
