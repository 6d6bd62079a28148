"""The verified bundle: the only thing that can reach a tensor or a member.

It exists only after the signatures over the manifest were checked (`opening.py`), and hands out
only bytes whose chunk digests lead back to that manifest. Implements spec/format.md, "Reading".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from types import MappingProxyType, TracebackType
from typing import Self

from safemodel import limits
from safemodel.bundle import arena
from safemodel.bundle.chunks import ChunkCache, Chunked, in_parallel, read_range, read_whole, runs
from safemodel.bundle.members import Members
from safemodel.bundle.tensor import Tensor
from safemodel.errors import (
    DigestMismatchError,
    LimitError,
    MissingMemberError,
    SafemodelError,
    UsageError,
    WeightsError,
    locating,
)
from safemodel.format.manifest import Manifest
from safemodel.format.weights import (
    TensorInfo,
    WeightsHeader,
    header_length,
    is_weights_name,
    parse_header,
)
from safemodel.trust.signatures import VerifiedSignature


class VerifiedBundle:
    """A bundle whose manifest is signed by someone whom the caller trusts.

    A context manager; made by `safemodel.open` and `safemodel.verify`. Safe to read from several
    threads. Tensors that it gave out stay valid after `close`.
    """

    def __init__(
        self,
        members: Members,
        manifest: Manifest,
        digest: str,
        signers: tuple[VerifiedSignature, ...],
        *,
        name_checked: bool,
        mapped: bool = False,
    ) -> None:
        self._members = members
        self._mapped = mapped
        self._cache = ChunkCache()
        self._chunked: dict[str, Chunked] = {}
        self._loaded: dict[str, memoryview] = {}
        self._maps: dict[str, memoryview] = {}
        self._closed = False
        self.path = members.path
        self.manifest = manifest
        self.digest = digest
        self.signers = signers
        self.name_checked = name_checked

    @property
    def encoding(self) -> str:
        """`archive` or `folder`."""
        return self._members.encoding

    @property
    def size(self) -> int:
        """Bytes of all members, signatures included."""
        return sum(self._members.sizes.values())

    def chunked(self, name: str) -> Chunked:
        """The payload member `name`, ready for verified reads of any range.

        Raises:
            MissingMemberError: the manifest declares no such member.
            ContainerError: the bytes in front of the member are not canonical.
        """
        if self._closed:
            raise UsageError("the bundle is closed", path=self.path)
        if name not in self._chunked:
            entry = self.manifest.files.get(name)
            if entry is None:
                raise MissingMemberError("there is no such member", path=self.path, place=name)
            self._chunked[name] = Chunked(
                self.path,
                name,
                self._members.region(name),
                entry,
                self.manifest.algorithm,
                self.manifest.chunk_size,
            )
        return self._chunked[name]

    def check_between(self) -> None:
        """Check every byte that lies between members.

        Raises:
            ContainerError: a local header is not what the central directory demands.
        """
        self._members.check_between()

    # Members

    def read_range(self, name: str, offset: int, length: int) -> bytes:
        """Verified bytes of a payload member; reads only the chunks that the range touches.

        Raises:
            UsageError: the range is not inside the member.
            LimitError: the machine has not enough memory.
            DigestMismatchError: a chunk differs from its digest.
        """
        member = self.chunked(name)
        if offset < 0 or length < 0 or offset + length > member.size:
            raise UsageError(
                f"range {offset}+{length} is outside the {member.size} bytes of {name}",
                path=self.path,
            )
        with locating(path=self.path, place=name):
            buffer = arena.allocate_any(length)
        read_range(member, self._cache, offset, buffer)
        return bytes(buffer)

    def member(self, name: str) -> bytes:
        """A payload member whole, verified."""
        return self.read_range(name, 0, self.chunked(name).size)

    # Tensors

    @cached_property
    def weights(self) -> tuple[str, ...]:
        """Names of the weights members, sorted."""
        return tuple(sorted(name for name in self.manifest.files if is_weights_name(name)))

    @cached_property
    def headers(self) -> Mapping[str, WeightsHeader]:
        """The parsed header of each weights member, read from verified bytes.

        Raises:
            WeightsError: a header is not canonical, or two members hold a tensor of one name.
        """
        headers = {name: self._header(name) for name in self.weights}
        seen: set[str] = set()
        for name, header in headers.items():
            for tensor in header.tensors:
                if tensor.name in seen:
                    raise WeightsError(
                        f"tensor {tensor.name} is in another weights member too",
                        path=self.path,
                        place=name,
                    )
                seen.add(tensor.name)
        return MappingProxyType(headers)

    def _header(self, name: str) -> WeightsHeader:
        member = self.chunked(name)
        with locating(path=self.path, place=name):
            if name in self._loaded:
                data = self._loaded[name]
                length = header_length(data[:8], member.size)
                return parse_header(data[:length], member.size)
            prefix = self.read_range(name, 0, min(8, member.size))
            length = header_length(prefix, member.size)
            return parse_header(self.read_range(name, 0, length), member.size)

    @cached_property
    def _where(self) -> dict[str, tuple[str, TensorInfo]]:
        return {
            tensor.name: (member, tensor)
            for member, header in self.headers.items()
            for tensor in header.tensors
        }

    @cached_property
    def tensors(self) -> Mapping[str, TensorInfo]:
        """Name to dtype, shape and place of every tensor. Reads the headers, not the tensors."""
        return MappingProxyType({name: info for name, (_, info) in self._where.items()})

    def tensor(self, name: str) -> Tensor:
        """One tensor, verified: reads only the chunks that it touches.

        After `load_weights` it is a view of the loaded memory, in mapped mode a view of the map.

        Raises:
            MissingMemberError: there is no tensor of this name.
            DigestMismatchError: a chunk that it touches differs from its digest.
        """
        member, info = self._find(name)
        return Tensor(name, info.dtype, info.shape, self._bytes(member, info, 0, info.nbytes))

    def rows(self, name: str, start: int, stop: int, *, into: memoryview | None = None) -> Tensor:
        """The items `start` to `stop` - 1 along the first axis of a tensor, verified.

        Reads only the chunks that they touch. Neighbouring calls verify a shared chunk once. The
        result lies at the start of `into`, if that is given and large enough: memory that was used
        before costs a fraction of fresh memory.

        Raises:
            UsageError: the tensor has no axis, or the range is not inside it.
            DigestMismatchError: a chunk differs from its digest.
        """
        member, info = self._find(name)
        if not info.shape or not 0 <= start <= stop <= info.shape[0]:
            raise UsageError(
                f"rows {start} to {stop} are outside shape {list(info.shape)}",
                path=self.path,
                place=name,
            )
        row = info.nbytes // info.shape[0] if info.shape[0] else 0
        buffer = self._bytes(member, info, start * row, stop * row, into)
        return Tensor(name, info.dtype, (stop - start, *info.shape[1:]), buffer)

    def pieces(self, name: str, buffer: Callable[[], memoryview]) -> Iterator[memoryview]:
        """The bytes of a tensor in order, verified, in pieces as large as the buffers allow.

        Each piece lies at the start of what `buffer()` gave for it, or in the memory of
        `load_weights` or the map if the tensor is there already. Pieces end where chunks do, so
        that no chunk is verified twice.

        Raises:
            MissingMemberError: there is no tensor of this name.
            UsageError: a buffer is shorter than a chunk.
            DigestMismatchError: a chunk differs from its digest.
        """
        member, info = self._find(name)
        chunk = self.manifest.chunk_size
        base = self.headers[member].data_start + info.begin
        start = 0
        while start < info.nbytes:
            given = buffer()
            if len(given) < chunk:
                raise UsageError(f"a buffer of {len(given)} bytes for chunks of {chunk}")
            step = len(given) // chunk * chunk
            stop = min(info.nbytes, ((base + start) // step + 1) * step - base)
            yield self._bytes(member, info, start, stop, given)
            start = stop

    def _find(self, name: str) -> tuple[str, TensorInfo]:
        if self._closed:
            raise UsageError("the bundle is closed", path=self.path)
        try:
            return self._where[name]
        except KeyError:
            raise MissingMemberError(
                "there is no such tensor", path=self.path, place=name
            ) from None

    def _bytes(
        self,
        member: str,
        info: TensorInfo,
        start: int,
        stop: int,
        into: memoryview | None = None,
    ) -> memoryview:
        base = self.headers[member].data_start + info.begin
        with _naming_tensor(self.path, info.name):
            if member in self._loaded:
                return self._loaded[member][base + start : base + stop]
            if self._mapped:
                return self._map_range(member, base + start, base + stop)
            if into is not None and len(into) >= stop - start:
                buffer = into[: stop - start]
            else:
                buffer = arena.allocate_any(stop - start)
            read_range(self.chunked(member), self._cache, base + start, buffer)
        return buffer

    def _map_range(self, name: str, start: int, stop: int) -> memoryview:
        member = self.chunked(name)
        if name not in self._maps:
            offset = member.region.offset
            self._maps[name] = member.region.source.map()[offset : offset + member.size]
        view = self._maps[name]
        first, last = start // member.chunk_size, -(-stop // member.chunk_size)
        in_parallel(_map_checks(member, view, first, last), stop - start)
        return view[start:stop]

    def load_weights(self) -> None:
        """Read and verify all tensors into one block of private memory, on all cores.

        Nothing is kept when a chunk differs.

        Raises:
            DigestMismatchError: names the member, the chunk and the tensors it holds.
            LimitError: the machine has not enough memory.
        """
        if self._loaded or self._mapped or not self.weights:
            return
        members = [self.chunked(name) for name in self.weights]
        self.check_between()
        with locating(path=self.path, place="weights"):
            block = arena.allocate(sum(_page_multiple(member.size) for member in members))
        views: dict[str, memoryview] = {}
        start = 0
        for member in members:
            views[member.name] = block[start : start + member.size]
            start += _page_multiple(member.size)
        try:
            read_whole([(m, 0, m.count, views[m.name]) for m in members])
        except DigestMismatchError as error:
            self.name_tensors(error)
            raise
        self._loaded = views

    def name_tensors(self, error: DigestMismatchError) -> None:
        """Add to the error which tensors lie in the chunk, if the header itself is intact."""
        if error.region is None or error.region[0] not in self.weights:
            return
        name, start, stop = error.region
        try:
            header = self._header(name)
        except SafemodelError:
            error.message += "; they hold the weights header"
            return
        hit = [
            tensor.name
            for tensor in header.tensors
            if tensor.begin + header.data_start < stop and tensor.end + header.data_start > start
        ]
        shown = ", ".join(hit[:3]) + (f" and {len(hit) - 3} more" if len(hit) > 3 else "")
        error.message += f"; tensors in them: {shown or 'none'}"

    # Life

    def close(self) -> None:
        """Close the files. Tensors that were given out stay valid."""
        self._closed = True
        self._members.close()
        self._loaded = {}
        self._maps = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<VerifiedBundle {self.path!r} sha256:{self.digest[:16]}>"


def _map_checks(
    member: Chunked, view: memoryview, first: int, last: int
) -> Iterator[Callable[[], None]]:
    for index, until in runs(member, first, last):
        yield partial(_check_mapped, member, view, index, until)


def _check_mapped(member: Chunked, view: memoryview, first: int, last: int) -> None:
    for index in range(first, last):
        begin, end = member.bounds(index)
        member.check(index, view[begin:end])


@contextmanager
def _naming_tensor(path: str, tensor: str) -> Iterator[None]:
    """Add the tensor's name to what went wrong while its bytes were read."""
    try:
        yield
    except (DigestMismatchError, LimitError) as error:
        error.path = error.path or path
        error.place = ", ".join(part for part in (error.place, f"tensor {tensor}") if part)
        raise


def _page_multiple(size: int) -> int:
    return -(-size // limits.MEMBER_ALIGNMENT) * limits.MEMBER_ALIGNMENT
