"""Weighted turns: who is next, so that over each period all have had exactly their share, and nobody long waits.

A member of weight w has w points in every cycle, evenly spread; members of the same weight begin side by side. Turns
follow the points of all. So any stretch as long as the weights' sum holds each of a member's points once, whatever
its beginning, and a turn costs O(log n); between two turns of one stand at most its share and one for each other
weight. The usual smooth weighted round robin has the same shares, asks all members at each turn, and lets some wait
many times longer.
Whoever comes, goes or changes weight moves nobody else's points.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from heapq import heapify, heappop, heappush, heapreplace

_GOLDEN = 0.6180339887498949
"""Multiples of it fall evenly into a cycle, however many there are."""

Point = tuple[int, float, int, str]
"""Cycle, place in it from 0 to 1, the member's number, which decides between equal places, and its id."""


class Member:
    """Who takes turns."""

    def __init__(self, id: str, number: int, weight: int, phase: float) -> None:
        self.id = id
        self.number = number
        self.weight = weight
        self.phase = phase
        """Where between 0 and 1 its points stand in their shares of the cycle."""

    def point_after(self, point: Point) -> Point:
        """Its first point after another. Places are computed anew, never added up, so they are the same each cycle."""
        cycle, place, number, _ = point
        weight, phase = self.weight, self.phase
        after = (place, number)
        turn = min(max(int(place * weight - phase), 0), weight)
        while turn > 0 and ((turn - 1 + phase) / weight, self.number) > after:
            turn -= 1
        while turn < weight and ((turn + phase) / weight, self.number) <= after:
            turn += 1
        if turn < weight:
            return cycle, (turn + phase) / weight, self.number, self.id
        return cycle + 1, phase / weight, self.number, self.id


class Wheel:
    """Turns of members, of whom some may have left for a while."""

    def __init__(self, weights: MappingOf[str, int], chance: float) -> None:
        """`chance`, a random number from 0 to 1, says where in a cycle it begins, so that processes differ."""
        self.members: dict[str, Member] = {}
        of_weight: dict[int, int] = {}
        for weight in weights.values():
            of_weight[weight] = of_weight.get(weight, 0) + 1
        before: dict[int, int] = {}
        for number, (id, weight) in enumerate(weights.items()):
            rank = before[weight] = before.get(weight, -1) + 1
            self.members[id] = Member(id, number, weight, (rank + 0.5) / of_weight[weight])
        self._numbers = len(self.members)
        self._position: Point = self._begin(chance)
        """The last point that was taken, or passed."""
        self._points = [member.point_after(self._position) for member in self.members.values()]
        heapify(self._points)
        self._away: list[tuple[int, str]] = []
        """Who has left, and until when, as a heap."""

    def _begin(self, chance: float) -> Point:
        """The point just before one that is chosen by chance, each of them as likely as any other."""
        left = int(chance * sum(member.weight for member in self.members.values()))
        for member in self.members.values():
            if left < member.weight:
                return 0, (left + member.phase) / member.weight, member.number - 1, ""
            left -= member.weight
        return 0, -1.0, 0, ""

    def copy(self, weights: MappingOf[str, int]) -> Wheel:
        """One of these members: those who are here with the same weight keep their points, the others join."""
        other = Wheel({}, 0.0)
        other._position, other._numbers = self._position, self._numbers
        points = {point[3]: point for point in self._points}
        for id, weight in weights.items():
            known = self.members.get(id)
            if known is None:
                number, phase = other._numbers, (other._numbers * _GOLDEN) % 1.0
                other._numbers += 1
            else:
                number, phase = known.number, known.phase
            member = other.members[id] = Member(id, number, weight, phase)
            same = known is not None and known.weight == weight and id in points
            other._points.append(points[id] if same else member.point_after(self._position))
        heapify(other._points)
        return other

    def come_back(self, now_ms: int) -> None:
        """Those who have been away long enough take turns again. None owes them those that they missed."""
        while self._away and self._away[0][0] <= now_ms:
            self._join(heappop(self._away)[1])

    def come_back_all(self) -> None:
        """The same for all who are away."""
        while self._away:
            self._join(self._away.pop()[1])

    def _join(self, id: str) -> None:
        heappush(self._points, self.members[id].point_after(self._position))

    def next(self) -> Point | None:
        """Whose turn is next: `take`, `leave` or `pass_over` decides what becomes of it."""
        return self._points[0] if self._points else None

    def take(self, weight: int) -> None:
        """Who is next has its turn, and from now on this weight."""
        point = self._points[0]
        member = self.members[point[3]]
        member.weight = weight
        heapreplace(self._points, member.point_after(point))
        if point > self._position:
            self._position = point

    def leave(self, until_ms: int) -> None:
        """Who is next takes no turns until then."""
        heappush(self._away, (until_ms, heappop(self._points)[3]))

    def pass_over(self) -> Point:
        """Takes who is next out for a moment: `skip` or `keep` must follow."""
        return heappop(self._points)

    def skip(self, point: Point) -> None:
        """Another had its turn."""
        if point < self._position:
            self._join(point[3])
        else:
            self.keep(point)

    def keep(self, point: Point) -> None:
        """Its turn is still to come."""
        heappush(self._points, point)
