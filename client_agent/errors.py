"""Everything the agent can fail with. The class docstring is the default message: Chinese / English."""

from __future__ import annotations


class AgentError(Exception):
    """终端出错 / the agent failed"""

    exit_code = 1

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


# --- the place it runs in -----------------------------------------------------------------------------------------
class UnusableData(AgentError):
    """数据目录不可用 / the data folder cannot be used"""

    exit_code = 2


class DataInUse(AgentError):
    """另一个终端程序正在使用这个数据目录 / another agent is using this data folder"""

    exit_code = 2


class PortTaken(AgentError):
    """端口已被占用 / the port is in use"""

    exit_code = 2


class NotEnrolled(AgentError):
    """本终端尚未注册，请先运行 agent enrol / this terminal is not enrolled yet: run agent enrol first"""

    exit_code = 2


# --- the line -----------------------------------------------------------------------------------------------------
class Unreachable(AgentError):
    """网络不通 / no answer from the network"""


class BadAnswer(AgentError):
    """收到的应答不合规 / an answer that does not follow the protocol"""


class AnswerTooLong(BadAnswer):
    """应答超过长度上限 / an answer longer than allowed"""


class TooSlow(Unreachable):
    """超过总时限 / the total deadline passed"""


# --- enrolment ----------------------------------------------------------------------------------------------------
class AlreadyEnrolled(AgentError):
    """本终端已注册 / this terminal is already enrolled"""


class EnrolmentRefused(AgentError):
    """平台拒绝了注册 / the province refused the enrolment"""


class ForgedAnswer(AgentError):
    """注册应答不是由知道注册码的平台发出的，已拒绝，未保存任何内容 / the enrolment answer was not made by someone who knows the code: refused, nothing stored"""


# --- trust --------------------------------------------------------------------------------------------------------
class RefreshFailed(AgentError):
    """没有来源给出可验证的发布 / no source gave a publication that could be verified"""


class NotVerified(AgentError):
    """签名或哈希不符 / signatures or hashes do not fit"""


class RolledBack(NotVerified):
    """来源给出的内容比已验证过的更旧 / a source offered something older than what was verified before"""


class Expired(NotVerified):
    """签名已过有效期 / signed, but past its expiry"""


class Withheld(AgentError):
    """已签名的内容没有来源可取 / verified metadata names it, but no source gave it"""


# --- the store ----------------------------------------------------------------------------------------------------
class NotStored(AgentError):
    """本地没有这个文件 / this file is not stored here"""


class PieceCorrupt(AgentError):
    """本地文件有一块与签名不符，已作废待重取 / a stored piece does not match what was signed: it will be fetched again"""


class PieceMissing(NotStored):
    """这一块尚未取到 / this piece has not been fetched yet"""


class NoSpace(AgentError):
    """磁盘空间不足 / not enough free space"""


class StorageFailed(AgentError):
    """磁盘写入失败 / the disk failed to write"""


class DatabaseBroken(StorageFailed):
    """终端数据库损坏，重新启动时自动修复 / the agent's database is damaged: it is made anew at the next start"""

    exit_code = 3
