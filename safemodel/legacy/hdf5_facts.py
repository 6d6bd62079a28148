"""What an HDF5 file says, as far as a loader would act on it: the facts of `parse_hdf5`."""

from __future__ import annotations

from dataclasses import dataclass

from safemodel.errors import LegacyError


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute with a single text, or a type that was not looked into.

    Attributes:
        owner: path of the object that has it.
        value: the bytes of a single string, as h5py would hand them out; None for other types.
        variable: whether the string is of variable length, so that readers stop at a NUL.
    """

    owner: str
    name: str
    value: bytes | None
    variable: bool
    offset: int


@dataclass(frozen=True, slots=True)
class Link:
    """A link that is not a hard one.

    Attributes:
        path: of the link.
        kind: `soft`, `external`, or `user` with the number of a user-defined type.
        file: that an external link opens, as written.
        target: the path that it leads to.
    """

    path: str
    kind: str
    file: str
    target: str
    offset: int


@dataclass(frozen=True, slots=True)
class Outside:
    """A dataset whose values are in other files.

    Attributes:
        kind: `external` storage (raw bytes of any file) or `virtual` (datasets of HDF5 files).
        files: their names as written; of a virtual dataset "." is the file itself.
        complete: whether all names could be read.
    """

    path: str
    kind: str
    files: tuple[str, ...]
    complete: bool
    offset: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset, without its values.

    Attributes:
        shape: as declared; None for no value at all.
        item_size: bytes of one value.
        type_class: of the datatype: 0 integer, 1 float, 3 string, 6 compound, 7 reference,
            9 variable length, ... (specification, IV.A.2.d).
    """

    path: str
    shape: tuple[int, ...] | None
    item_size: int
    type_class: int
    offset: int

    @property
    def declared(self) -> int:
        """Bytes that reading all of it would take."""
        total = self.item_size if self.shape is not None else 0
        for size in self.shape or ():
            total *= size
        return total


@dataclass(frozen=True, slots=True)
class Hdf5Facts:
    """All that was found.

    Attributes:
        version: of the superblock.
        base: bytes before the superblock (a user block, which HDF5 itself does not look at).
        end: one past the last byte that belongs to the file, as it says.
        objects: how many groups, datasets and named types there are.
        groups: how many of them are groups.
        datasets: as declared, without their values.
        attributes: names, and the value of those that are a single text.
        links: those that are not hard.
        pickles: variable-length data in a dataset that PyTables would unpickle: first byte, length.
        problems: what could not be read; other parts were.
    """

    version: int
    base: int
    end: int
    objects: int
    groups: int
    datasets: tuple[Dataset, ...]
    attributes: tuple[Attribute, ...]
    links: tuple[Link, ...]
    outside: tuple[Outside, ...]
    pickles: tuple[tuple[int, int], ...]
    problems: tuple[LegacyError, ...]

    def attribute(self, owner: str, name: str) -> Attribute | None:
        """The attribute of an object, by path; the root is `/`."""
        for one in self.attributes:
            if one.name == name and one.owner == owner:
                return one
        return None
