//! The coordinator of consumer groups (the classic protocol): who is a member, who leads, who got what.
//!
//! A state machine without sockets and without a clock of its own: every call says what time it is, and answers that have to
//! wait for others go through a channel that the caller holds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use tokio::sync::oneshot;
use uuid::Uuid;

/// How long the first member of an empty group waits for others that start at the same moment.
const FIRST_JOIN_DELAY: Duration = Duration::from_millis(50);
const SHORTEST_SESSION: Duration = Duration::from_secs(6);
const LONGEST_SESSION: Duration = Duration::from_secs(30 * 60);
/// Members a group may have.
const MOST_MEMBERS: usize = 10_000;

/// A request to join.
#[derive(Debug, Clone)]
pub(super) struct Join {
    /// The group.
    pub group: String,
    /// Empty for a new member.
    pub member: String,
    /// The name of a static member.
    pub instance: Option<String>,
    /// The client's name, and where it connects from; for people who look at the group.
    pub client: (String, String),
    /// Silence after which the member is dropped.
    pub session: Duration,
    /// How long the member may take to come back when the group is shared out anew.
    pub rebalance: Duration,
    /// `consumer`, or what else the clients agree on.
    pub protocol_type: String,
    /// Ways to share out, the favourite first, each with what the member wants to say about itself.
    pub protocols: Vec<(String, Bytes)>,
    /// Whether a new member is first told its id and has to come back with it.
    pub id_first: bool,
}

/// The answer to a join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Joined {
    /// The round.
    pub generation: i32,
    /// The kind of group.
    pub protocol_type: String,
    /// The way to share out that all members know.
    pub protocol: String,
    /// Who shares out.
    pub leader: String,
    /// Who was asking.
    pub member: String,
    /// For the leader: everyone, with name of the static member and what they said about themselves.
    pub members: Vec<(String, Option<String>, Bytes)>,
}

/// A join that was refused; some errors come with the member's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JoinRefused {
    /// Why.
    pub error: ResponseError,
    /// The id to come back with, or the one that was sent.
    pub member: String,
}

/// The answer to a sync: the way of sharing out, and the member's share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Synced {
    /// The kind of group.
    pub protocol_type: String,
    /// The way the share was found.
    pub protocol: String,
    /// The share.
    pub assignment: Bytes,
}

/// An answer that comes when the others have come.
pub(super) type Later<T, E> = oneshot::Receiver<Result<T, E>>;
type Reply<T, E> = oneshot::Sender<Result<T, E>>;

/// The state of a group, by Kafka's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Phase {
    /// Nobody is a member.
    #[default]
    Empty,
    /// Members are being waited for.
    PreparingRebalance,
    /// The leader's word is being waited for.
    CompletingRebalance,
    /// Everyone has a share.
    Stable,
}

impl Phase {
    /// Kafka's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

#[derive(Debug)]
struct Member {
    instance: Option<String>,
    client: (String, String),
    session: Duration,
    rebalance: Duration,
    protocols: Vec<(String, Bytes)>,
    assignment: Bytes,
    expires: Instant,
    joining: Option<Reply<Joined, JoinRefused>>,
    syncing: Option<Reply<Synced, ResponseError>>,
}

impl Member {
    fn touch(&mut self, now: Instant) {
        self.expires = now + self.session;
    }

    fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols.iter().find(|(name, _)| name == protocol).map(|(_, data)| data.clone()).unwrap_or_default()
    }
}

/// A member, for people who look at the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MemberView {
    /// Its id.
    pub member: String,
    /// Its static name.
    pub instance: Option<String>,
    /// The client's name, and where it connects from.
    pub client: (String, String),
    /// What it said about itself.
    pub metadata: Bytes,
    /// Its share.
    pub assignment: Bytes,
}

/// A group, for people who look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupView {
    /// Its state.
    pub phase: Phase,
    /// The kind of group.
    pub protocol_type: String,
    /// The way of sharing out.
    pub protocol: String,
    /// Its members.
    pub members: Vec<MemberView>,
}

#[derive(Debug, Default)]
struct Group {
    phase: Phase,
    generation: i32,
    protocol_type: String,
    protocol: String,
    leader: String,
    /// The round that is being prepared is the first of an empty group: it waits a moment even if everyone seems to be there.
    first: bool,
    members: BTreeMap<String, Member>,
    statics: HashMap<String, String>,
    /// Ids that were given out and have not come back yet, with the time until which they are good.
    promised: HashMap<String, Instant>,
    /// When the current phase ends without those who are missing.
    deadline: Option<Instant>,
}

/// All groups of a broker.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: HashMap<String, Group>,
}

impl Groups {
    /// Joins a group, or joins it again. The answer comes when all members have joined.
    pub(super) fn join(&mut self, join: Join, now: Instant) -> Later<Joined, JoinRefused> {
        let (reply, later) = oneshot::channel();
        let refuse = |reply: Reply<Joined, JoinRefused>, error, member: &str| {
            // The caller may be gone; then nobody needs to know.
            let _ = reply.send(Err(JoinRefused { error, member: member.to_owned() }));
        };
        if join.group.is_empty() {
            refuse(reply, ResponseError::InvalidGroupId, &join.member);
            return later;
        }
        if !(SHORTEST_SESSION..=LONGEST_SESSION).contains(&join.session) {
            refuse(reply, ResponseError::InvalidSessionTimeout, &join.member);
            return later;
        }
        if !self.groups.contains_key(&join.group) && !join.member.is_empty() {
            refuse(reply, ResponseError::UnknownMemberId, &join.member);
            return later;
        }
        let group = self.groups.entry(join.group.clone()).or_default();
        match group.admit(&join, now) {
            Ok(member) => group.join(join, member, reply, now),
            Err(JoinRefused { error, member }) => refuse(reply, error, &member),
        }
        later
    }

    /// Asks for the share; the leader brings everyone's. The answer comes when the leader has spoken.
    pub(super) fn sync(
        &mut self,
        group: &str,
        member: (&str, Option<&str>, i32),
        protocol: (Option<&str>, Option<&str>),
        assignments: Vec<(String, Bytes)>,
        now: Instant,
    ) -> Later<Synced, ResponseError> {
        let (reply, later) = oneshot::channel();
        let checked = self.member(group, member.0, member.1, member.2).and_then(|group| {
            let differs = |sent: Option<&str>, own: &str| sent.is_some_and(|sent| sent != own);
            if differs(protocol.0, &group.protocol_type) || differs(protocol.1, &group.protocol) {
                return Err(ResponseError::InconsistentGroupProtocol);
            }
            Ok(group)
        });
        match checked {
            Ok(group) => group.sync(member.0, assignments, reply, now),
            Err(error) => {
                let _ = reply.send(Err(error));
            }
        }
        later
    }

    /// A sign of life.
    pub(super) fn heartbeat(
        &mut self,
        group: &str,
        member: &str,
        instance: Option<&str>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        let group = self.member(group, member, instance, generation)?;
        if let Some(member) = group.members.get_mut(member) {
            member.touch(now);
        }
        if group.phase == Phase::PreparingRebalance { Err(ResponseError::RebalanceInProgress) } else { Ok(()) }
    }

    /// A member goes.
    pub(super) fn leave(
        &mut self,
        group: &str,
        member: &str,
        instance: Option<&str>,
        now: Instant,
    ) -> Result<String, ResponseError> {
        let group = self.groups.get_mut(group).ok_or(ResponseError::UnknownMemberId)?;
        let member = match instance {
            Some(instance) => {
                let known = group.statics.get(instance).cloned().ok_or(ResponseError::UnknownMemberId)?;
                if !member.is_empty() && member != known {
                    return Err(ResponseError::FencedInstanceId);
                }
                known
            }
            None => member.to_owned(),
        };
        if group.promised.remove(&member).is_some() {
            return Ok(member);
        }
        if !group.members.contains_key(&member) {
            return Err(ResponseError::UnknownMemberId);
        }
        group.remove(&member, now);
        Ok(member)
    }

    /// Whether a commit may be taken: from a member of the current round, or from outside while there are no members.
    pub(super) fn check_commit(
        &mut self,
        group: &str,
        member: &str,
        instance: Option<&str>,
        generation: i32,
        now: Instant,
    ) -> Result<(), ResponseError> {
        if group.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        if generation < 0 && member.is_empty() {
            let empty = self.groups.get(group).is_none_or(|g| g.members.is_empty());
            return if empty { Ok(()) } else { Err(ResponseError::UnknownMemberId) };
        }
        if !self.groups.contains_key(group) {
            return Err(ResponseError::IllegalGeneration);
        }
        let group = self.member(group, member, instance, generation)?;
        if let Some(member) = group.members.get_mut(member) {
            member.touch(now);
        }
        if group.phase == Phase::CompletingRebalance { Err(ResponseError::RebalanceInProgress) } else { Ok(()) }
    }

    /// Does what is due: drops silent members, ends phases.
    pub(super) fn tick(&mut self, now: Instant) {
        self.groups.retain(|_, group| {
            group.tick(now);
            // What a group has committed is kept elsewhere; an empty one has nothing else to remember but its round.
            !(group.members.is_empty() && group.promised.is_empty() && group.generation == 0)
        });
    }

    /// When `tick` has something to do next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.groups.values().filter_map(Group::next_due).min()
    }

    /// Names and states of the groups known here.
    pub(super) fn list(&self) -> impl Iterator<Item = (&String, Phase, &str)> {
        self.groups.iter().map(|(name, group)| (name, group.phase, group.protocol_type.as_str()))
    }

    /// One group.
    pub(super) fn describe(&self, name: &str) -> Option<GroupView> {
        let group = self.groups.get(name)?;
        let settled = matches!(group.phase, Phase::Stable);
        let view = |(id, member): (&String, &Member)| MemberView {
            member: id.clone(),
            instance: member.instance.clone(),
            client: member.client.clone(),
            metadata: if settled { member.metadata(&group.protocol) } else { Bytes::new() },
            assignment: if settled { member.assignment.clone() } else { Bytes::new() },
        };
        Some(GroupView {
            phase: group.phase,
            protocol_type: group.protocol_type.clone(),
            protocol: if settled { group.protocol.clone() } else { String::new() },
            members: group.members.iter().map(view).collect(),
        })
    }

    /// Forgets a group without members; `false` if it has some.
    pub(super) fn delete(&mut self, name: &str) -> bool {
        let empty = self.groups.get(name).is_none_or(|g| g.members.is_empty());
        if empty {
            self.groups.remove(name);
        }
        empty
    }

    fn member(
        &mut self,
        group: &str,
        member: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<&mut Group, ResponseError> {
        if group.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let group = self.groups.get_mut(group).ok_or(ResponseError::UnknownMemberId)?;
        if let Some(known) = instance.and_then(|i| group.statics.get(i))
            && known != member
        {
            return Err(ResponseError::FencedInstanceId);
        }
        if !group.members.contains_key(member) {
            return Err(ResponseError::UnknownMemberId);
        }
        if generation != group.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        Ok(group)
    }
}

impl Group {
    /// The id under which a join is taken, or why it is not.
    fn admit(&mut self, join: &Join, now: Instant) -> Result<String, JoinRefused> {
        let refuse = |error| Err(JoinRefused { error, member: join.member.clone() });
        let others = self.members.keys().any(|id| *id != join.member);
        let nothing_in_common = join.protocol_type.is_empty()
            || join.protocols.is_empty()
            || (others && join.protocol_type != self.protocol_type)
            || !join.protocols.iter().any(|(name, _)| {
                self.members.iter().filter(|(id, _)| **id != join.member).all(|(_, member)| member.supports(name))
            });
        if nothing_in_common {
            return refuse(ResponseError::InconsistentGroupProtocol);
        }
        if let Some(instance) = &join.instance
            && let Some(known) = self.statics.get(instance).cloned()
        {
            if !join.member.is_empty() && join.member != known {
                return refuse(ResponseError::FencedInstanceId);
            }
            if join.member.is_empty() {
                self.replace_static(&known, instance);
            }
            return Ok(self.statics.get(instance).cloned().unwrap_or(known));
        }
        if self.members.contains_key(&join.member) || self.promised.remove(&join.member).is_some() {
            return Ok(join.member.clone());
        }
        if !join.member.is_empty() {
            return refuse(ResponseError::UnknownMemberId);
        }
        if self.members.len() + self.promised.len() >= MOST_MEMBERS {
            return refuse(ResponseError::GroupMaxSizeReached);
        }
        let name = join.instance.as_deref().unwrap_or(&join.client.0);
        let member = format!("{name}-{}", Uuid::new_v4());
        if join.id_first && join.instance.is_none() {
            self.promised.insert(member.clone(), now + join.session);
            return Err(JoinRefused { error: ResponseError::MemberIdRequired, member });
        }
        Ok(member)
    }

    /// A static member has come back as a new process: it takes its predecessor's place under a new id.
    fn replace_static(&mut self, known: &str, instance: &str) {
        let fresh = format!("{instance}-{}", Uuid::new_v4());
        if let Some(mut member) = self.members.remove(known) {
            if let Some(reply) = member.joining.take() {
                let error = ResponseError::FencedInstanceId;
                let _ = reply.send(Err(JoinRefused { error, member: known.to_owned() }));
            }
            if let Some(reply) = member.syncing.take() {
                let _ = reply.send(Err(ResponseError::FencedInstanceId));
            }
            self.members.insert(fresh.clone(), member);
        }
        if self.leader == known {
            self.leader.clone_from(&fresh);
        }
        self.statics.insert(instance.to_owned(), fresh);
    }

    fn join(&mut self, join: Join, id: String, reply: Reply<Joined, JoinRefused>, now: Instant) {
        if let Some(member) = self.members.get_mut(&id) {
            member.touch(now);
            let unchanged = member.protocols == join.protocols && !join.member.is_empty();
            let follows = self.phase == Phase::Stable && self.leader != id;
            if unchanged && (follows || self.phase == Phase::CompletingRebalance) {
                // The answer to an earlier join was lost on the way: it is given again, nobody else is disturbed.
                let _ = reply.send(Ok(self.joined(&id)));
                return;
            }
        }
        if self.members.is_empty() {
            self.protocol_type.clone_from(&join.protocol_type);
        }
        if let Some(instance) = &join.instance {
            self.statics.insert(instance.clone(), id.clone());
        }
        let member = Member {
            instance: join.instance,
            client: join.client,
            session: join.session,
            rebalance: join.rebalance.max(join.session),
            protocols: join.protocols,
            assignment: Bytes::new(),
            expires: now + join.session,
            joining: Some(reply),
            syncing: None,
        };
        self.members.insert(id, member);
        self.begin_round(now);
    }

    /// Everyone has to join again; a round that was on its way is broken off.
    fn begin_round(&mut self, now: Instant) {
        if self.phase != Phase::PreparingRebalance {
            self.first = self.phase == Phase::Empty;
            for member in self.members.values_mut() {
                if let Some(reply) = member.syncing.take() {
                    let _ = reply.send(Err(ResponseError::RebalanceInProgress));
                }
            }
            self.phase = Phase::PreparingRebalance;
            self.deadline = Some(now + if self.first { FIRST_JOIN_DELAY } else { self.patience() });
        }
        self.end_joining_if_complete(now);
    }

    fn patience(&self) -> Duration {
        self.members.values().map(|m| m.rebalance).max().unwrap_or_default()
    }

    fn end_joining_if_complete(&mut self, now: Instant) {
        let complete = self.members.values().all(|m| m.joining.is_some());
        if self.phase == Phase::PreparingRebalance && complete && (!self.first || self.members.is_empty()) {
            self.end_joining(now);
        }
    }

    fn end_joining(&mut self, now: Instant) {
        // Static members may be away for as long as their session lasts; the others had their time.
        self.members.retain(|_, m| m.joining.as_ref().is_some_and(|r| !r.is_closed()) || m.instance.is_some());
        let members = &self.members;
        self.statics.retain(|_, id| members.contains_key(id));
        if !self.members.is_empty() && self.members.values().all(|m| m.joining.is_none()) {
            self.deadline = Some(now + self.patience());
            return;
        }
        self.first = false;
        self.generation = self.generation.wrapping_add(1).max(1);
        if self.members.is_empty() {
            self.phase = Phase::Empty;
            self.deadline = None;
            self.protocol.clear();
            self.leader.clear();
            return;
        }
        self.protocol = self.elect_protocol();
        let here = |m: &Member| m.joining.is_some();
        if !self.members.get(&self.leader).is_some_and(here) {
            self.leader = self.members.iter().find(|(_, m)| here(m)).map(|(id, _)| id.clone()).unwrap_or_default();
        }
        self.phase = Phase::CompletingRebalance;
        self.deadline = Some(now + self.patience());
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let answer = self.joined(&id);
            let Some(member) = self.members.get_mut(&id) else { continue };
            if let Some(reply) = member.joining.take() {
                member.touch(now);
                let _ = reply.send(Ok(answer));
            }
        }
    }

    /// Among the ways that all members know, the one that most members like best.
    fn elect_protocol(&self) -> String {
        let mut common: Option<BTreeSet<&str>> = None;
        for member in self.members.values() {
            let known: BTreeSet<&str> = member.protocols.iter().map(|(name, _)| name.as_str()).collect();
            common = Some(common.map_or(known.clone(), |c| c.intersection(&known).copied().collect()));
        }
        let common = common.unwrap_or_default();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| common.contains(name.as_str())) {
                *votes.entry(name).or_default() += 1;
            }
        }
        votes.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name.to_owned()).unwrap_or_default()
    }

    fn joined(&self, id: &str) -> Joined {
        let everyone = |(id, m): (&String, &Member)| (id.clone(), m.instance.clone(), m.metadata(&self.protocol));
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            member: id.to_owned(),
            members: if id == self.leader { self.members.iter().map(everyone).collect() } else { Vec::new() },
        }
    }

    fn sync(&mut self, id: &str, shares: Vec<(String, Bytes)>, reply: Reply<Synced, ResponseError>, now: Instant) {
        let Some(member) = self.members.get_mut(id) else {
            let _ = reply.send(Err(ResponseError::UnknownMemberId));
            return;
        };
        member.touch(now);
        match self.phase {
            Phase::Empty => drop(reply.send(Err(ResponseError::UnknownMemberId))),
            Phase::PreparingRebalance => drop(reply.send(Err(ResponseError::RebalanceInProgress))),
            Phase::Stable => drop(reply.send(Ok(self.synced(id)))),
            Phase::CompletingRebalance => {
                member.syncing = Some(reply);
                if id == self.leader {
                    self.settle(shares);
                }
            }
        }
    }

    fn settle(&mut self, shares: Vec<(String, Bytes)>) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
        }
        for (id, share) in shares {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = share;
            }
        }
        self.phase = Phase::Stable;
        self.deadline = None;
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let answer = self.synced(&id);
            if let Some(reply) = self.members.get_mut(&id).and_then(|m| m.syncing.take()) {
                let _ = reply.send(Ok(answer));
            }
        }
    }

    fn synced(&self, id: &str) -> Synced {
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: self.members.get(id).map(|m| m.assignment.clone()).unwrap_or_default(),
        }
    }

    fn remove(&mut self, id: &str, now: Instant) {
        let Some(member) = self.members.remove(id) else { return };
        if let Some(reply) = member.joining {
            let error = ResponseError::UnknownMemberId;
            let _ = reply.send(Err(JoinRefused { error, member: id.to_owned() }));
        }
        if let Some(reply) = member.syncing {
            let _ = reply.send(Err(ResponseError::UnknownMemberId));
        }
        self.statics.retain(|_, member| member != id);
        self.begin_round(now);
    }

    fn tick(&mut self, now: Instant) {
        self.promised.retain(|_, until| *until > now);
        let silent = |m: &Member| m.joining.is_none() && m.syncing.is_none() && m.expires <= now;
        let gone: Vec<String> = self.members.iter().filter(|(_, m)| silent(m)).map(|(id, _)| id.clone()).collect();
        for id in gone {
            self.remove(&id, now);
        }
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        match self.phase {
            Phase::PreparingRebalance => self.end_joining(now),
            Phase::CompletingRebalance => {
                let late: Vec<String> =
                    self.members.iter().filter(|(_, m)| m.syncing.is_none()).map(|(id, _)| id.clone()).collect();
                for id in late {
                    self.remove(&id, now);
                }
            }
            Phase::Empty | Phase::Stable => self.deadline = None,
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let waiting = |m: &&Member| m.joining.is_none() && m.syncing.is_none();
        let silent = self.members.values().filter(waiting).map(|m| m.expires);
        silent.chain(self.promised.values().copied()).chain(self.deadline).min()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    const SESSION: Duration = Duration::from_secs(10);
    const REBALANCE: Duration = Duration::from_secs(60);

    struct Clock(Instant);

    impl Clock {
        fn pass(&mut self, groups: &mut Groups, time: Duration) {
            self.0 += time;
            groups.tick(self.0);
        }
    }

    fn start() -> (Groups, Clock) {
        (Groups::default(), Clock(Instant::now()))
    }

    fn request(member: &str, protocols: &[&str]) -> Join {
        let metadata = |name: &&str| ((*name).to_owned(), Bytes::from(format!("{name} of {member}")));
        Join {
            group: "g".into(),
            member: member.into(),
            instance: None,
            client: ("client".into(), "127.0.0.1".into()),
            session: SESSION,
            rebalance: REBALANCE,
            protocol_type: "consumer".into(),
            protocols: protocols.iter().map(metadata).collect(),
            id_first: false,
        }
    }

    fn got<T, E>(later: &mut Later<T, E>) -> Result<T, E> {
        later.try_recv().expect("no answer yet")
    }

    fn pending<T, E>(later: &mut Later<T, E>) -> bool {
        matches!(later.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }

    /// A group with these many members, all with a share; their ids, the leader's first.
    fn stable(groups: &mut Groups, clock: &mut Clock, count: usize) -> (Vec<String>, i32) {
        let mut joins: Vec<_> = (0..count).map(|_| groups.join(request("", &["range"]), clock.0)).collect();
        clock.pass(groups, FIRST_JOIN_DELAY);
        let joined: Vec<Joined> = joins.iter_mut().map(|j| got(j).unwrap()).collect();
        let (leader, generation) = (joined[0].leader.clone(), joined[0].generation);
        let mut ids: Vec<String> = joined.into_iter().map(|j| j.member).collect();
        ids.sort_by_key(|id| *id != leader);
        share(groups, clock, &ids, generation);
        (ids, generation)
    }

    fn share(groups: &mut Groups, clock: &Clock, ids: &[String], generation: i32) {
        let shares: Vec<_> = ids.iter().map(|id| (id.clone(), Bytes::from(format!("share of {id}")))).collect();
        let mut syncs: Vec<_> = ids
            .iter()
            .rev()
            .map(|id| {
                let shares = if *id == ids[0] { shares.clone() } else { Vec::new() };
                groups.sync("g", (id, None, generation), (None, None), shares, clock.0)
            })
            .collect();
        for (sync, id) in syncs.iter_mut().zip(ids.iter().rev()) {
            assert_eq!(got(sync).unwrap().assignment, format!("share of {id}"));
        }
    }

    #[test]
    fn members_that_start_together_share_one_round() {
        let (mut groups, mut clock) = start();
        let mut one = groups.join(request("", &["range", "roundrobin"]), clock.0);
        let mut two = groups.join(request("", &["roundrobin"]), clock.0);
        assert!(pending(&mut one));
        clock.pass(&mut groups, FIRST_JOIN_DELAY);
        let (one, two) = (got(&mut one).unwrap(), got(&mut two).unwrap());
        assert_eq!((one.generation, two.generation), (1, 1));
        assert_eq!(one.protocol, "roundrobin");
        assert_eq!(one.leader, two.leader);
        let leader = if one.leader == one.member { &one } else { &two };
        assert_eq!(leader.members.len(), 2);
        share(&mut groups, &clock, &sorted(&one, &two), 1);
        assert_eq!(groups.describe("g").unwrap().phase, Phase::Stable);
    }

    fn sorted(one: &Joined, two: &Joined) -> Vec<String> {
        let mut ids = vec![one.member.clone(), two.member.clone()];
        ids.sort_by_key(|id| *id != one.leader);
        ids
    }

    #[test]
    fn a_new_member_is_told_its_id_first_and_comes_back_with_it() {
        let (mut groups, mut clock) = start();
        let refused = got(&mut groups.join(Join { id_first: true, ..request("", &["range"]) }, clock.0)).unwrap_err();
        assert_eq!(refused.error, ResponseError::MemberIdRequired);
        let mut join = groups.join(request(&refused.member, &["range"]), clock.0);
        clock.pass(&mut groups, FIRST_JOIN_DELAY);
        assert_eq!(got(&mut join).unwrap().member, refused.member);
        let stranger = got(&mut groups.join(request("nobody", &["range"]), clock.0)).unwrap_err();
        assert_eq!(stranger.error, ResponseError::UnknownMemberId);
    }

    #[test]
    fn a_newcomer_is_let_in_as_soon_as_the_others_have_joined_again() {
        let (mut groups, mut clock) = start();
        let (ids, generation) = stable(&mut groups, &mut clock, 1);
        let mut newcomer = groups.join(request("", &["range"]), clock.0);
        assert!(pending(&mut newcomer));
        let told = groups.heartbeat("g", &ids[0], None, generation, clock.0);
        assert_eq!(told, Err(ResponseError::RebalanceInProgress));
        let mut old = groups.join(request(&ids[0], &["range"]), clock.0);
        assert_eq!(got(&mut old).unwrap().generation, generation + 1);
        assert_eq!(got(&mut newcomer).unwrap().leader, ids[0]);
    }

    #[test]
    fn who_does_not_come_back_in_time_is_left_out() {
        let (mut groups, mut clock) = start();
        let (ids, _) = stable(&mut groups, &mut clock, 2);
        let mut newcomer = groups.join(request("", &["range"]), clock.0);
        let mut again = groups.join(request(&ids[0], &["range"]), clock.0);
        clock.pass(&mut groups, SESSION - Duration::from_millis(1));
        assert!(pending(&mut newcomer));
        clock.pass(&mut groups, Duration::from_millis(1));
        assert_eq!(got(&mut again).unwrap().members.len(), 2);
        assert!(got(&mut newcomer).is_ok());
    }

    #[test]
    fn silence_longer_than_the_session_ends_membership_and_heartbeats_keep_it() {
        let (mut groups, mut clock) = start();
        let (ids, generation) = stable(&mut groups, &mut clock, 2);
        clock.pass(&mut groups, SESSION / 2);
        assert_eq!(groups.heartbeat("g", &ids[0], None, generation, clock.0), Ok(()));
        assert_eq!(groups.next_due(), Some(clock.0 + SESSION / 2));
        clock.pass(&mut groups, SESSION / 2);
        let told = groups.heartbeat("g", &ids[0], None, generation, clock.0);
        assert_eq!(told, Err(ResponseError::RebalanceInProgress));
        let told = groups.heartbeat("g", &ids[1], None, generation, clock.0);
        assert_eq!(told, Err(ResponseError::UnknownMemberId));
        clock.pass(&mut groups, SESSION * 10);
        assert_eq!(groups.describe("g").unwrap().phase, Phase::Empty);
    }

    #[test]
    fn leaving_shares_out_anew_at_once() {
        let (mut groups, mut clock) = start();
        let (ids, generation) = stable(&mut groups, &mut clock, 2);
        groups.leave("g", &ids[0], None, clock.0).unwrap();
        let told = groups.heartbeat("g", &ids[1], None, generation, clock.0);
        assert_eq!(told, Err(ResponseError::RebalanceInProgress));
        let mut again = groups.join(request(&ids[1], &["range"]), clock.0);
        let again = got(&mut again).unwrap();
        assert_eq!((again.leader, again.generation), (ids[1].clone(), generation + 1));
        groups.leave("g", &ids[1], None, clock.0).unwrap();
        assert_eq!(groups.describe("g").unwrap().phase, Phase::Empty);
        assert_eq!(groups.leave("g", &ids[1], None, clock.0), Err(ResponseError::UnknownMemberId));
    }

    #[test]
    fn a_leader_that_never_shares_out_does_not_block_the_others() {
        let (mut groups, mut clock) = start();
        let mut joins = [groups.join(request("", &["range"]), clock.0), groups.join(request("", &["range"]), clock.0)];
        clock.pass(&mut groups, FIRST_JOIN_DELAY);
        let joined: Vec<Joined> = joins.iter_mut().map(|j| got(j).unwrap()).collect();
        let follower = joined.iter().find(|j| j.member != j.leader).unwrap();
        let mut sync = groups.sync("g", (&follower.member, None, 1), (None, None), Vec::new(), clock.0);
        assert!(pending(&mut sync));
        clock.pass(&mut groups, SESSION);
        assert_eq!(got(&mut sync), Err(ResponseError::RebalanceInProgress));
    }

    #[test]
    fn commits_come_from_the_current_round_or_from_outside_an_empty_group() {
        let (mut groups, mut clock) = start();
        assert_eq!(groups.check_commit("g", "", None, -1, clock.0), Ok(()));
        let (ids, generation) = stable(&mut groups, &mut clock, 1);
        let mut commit = |member: &str, generation| groups.check_commit("g", member, None, generation, clock.0);
        assert_eq!(commit(&ids[0], generation), Ok(()));
        assert_eq!(commit(&ids[0], generation - 1), Err(ResponseError::IllegalGeneration));
        assert_eq!(commit("nobody", generation), Err(ResponseError::UnknownMemberId));
        assert_eq!(commit("", -1), Err(ResponseError::UnknownMemberId));
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let (mut groups, mut clock) = start();
        stable(&mut groups, &mut clock, 1);
        let mut refusal = |join: Join| got(&mut groups.join(join, clock.0)).unwrap_err().error;
        let good = request("", &["range"]);
        assert_eq!(refusal(Join { group: String::new(), ..good.clone() }), ResponseError::InvalidGroupId);
        assert_eq!(refusal(request("", &["sticky"])), ResponseError::InconsistentGroupProtocol);
        assert_eq!(refusal(request("", &[])), ResponseError::InconsistentGroupProtocol);
        let other = Join { protocol_type: "connect".into(), ..good.clone() };
        assert_eq!(refusal(other), ResponseError::InconsistentGroupProtocol);
        let short = Join { session: Duration::from_secs(1), ..good };
        assert_eq!(refusal(short), ResponseError::InvalidSessionTimeout);
    }

    #[test]
    fn a_static_member_comes_back_in_its_own_place_and_shuts_its_predecessor_out() {
        let (mut groups, mut clock) = start();
        let named = || Join { instance: Some("car-a".into()), id_first: true, ..request("", &["range"]) };
        let mut first = groups.join(named(), clock.0);
        clock.pass(&mut groups, FIRST_JOIN_DELAY);
        let first = got(&mut first).unwrap();
        share(&mut groups, &clock, std::slice::from_ref(&first.member), first.generation);
        let mut second = groups.join(named(), clock.0);
        let second = got(&mut second).unwrap();
        assert_ne!(second.member, first.member);
        assert_eq!(second.members.len(), 1);
        let told = groups.heartbeat("g", &first.member, Some("car-a"), first.generation, clock.0);
        assert_eq!(told, Err(ResponseError::FencedInstanceId));
        assert_eq!(groups.leave("g", "", Some("car-a"), clock.0), Ok(second.member));
    }

    #[test]
    fn a_group_with_members_is_not_deleted() {
        let (mut groups, mut clock) = start();
        let (ids, _) = stable(&mut groups, &mut clock, 1);
        assert!(!groups.delete("g"));
        groups.leave("g", &ids[0], None, clock.0).unwrap();
        assert!(groups.delete("g"));
        assert!(groups.describe("g").is_none());
    }
}
