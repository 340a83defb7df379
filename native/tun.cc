// Linux TUN/TAP devices (2.x tun.c, open_tun_generic() for Linux): one packet per read and write,
// a batch per call from JavaScript. IFF_NO_PI and no virtio-net header: slots hold bare packets.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "poll.h"

namespace ovpn {
namespace {

class Tun : public Pollable {
 public:
  static constexpr uint32_t kKinds = kTun;

  Tun(napi_env env, const ifreq& request) : Pollable(env, kTun) {
    memcpy(name_, request.ifr_name, IFNAMSIZ - 1);
  }

  const char* name() const { return name_; }
  int64_t dropped() const { return dropped_; }

  // Reads into slots 0..limit-1; a packet longer than `room` is dropped. Returns the packets read.
  // The slot has at least one byte behind `room`.
  int32_t Read(Batch* batch, size_t headroom, size_t room, int32_t limit);
  int32_t Write(const Batch& batch, int32_t first, int32_t end);

 private:
  char name_[IFNAMSIZ] = {};
  int64_t dropped_ = 0;
};

int32_t Tun::Read(Batch* batch, size_t headroom, size_t room, int32_t limit) {
  int32_t count = 0;
  while (count < limit) {
    const size_t offset = static_cast<size_t>(count) * batch->slot_size + headroom;
    // The kernel cuts a packet to the buffer and doesn't say so: one byte more gives it away.
    const ssize_t size = read(fd_, batch->slab + offset, room + 1);
    if (size < 0) {
      if (errno == EINTR) continue;
      // EIO: the device is being taken down; if it is gone for good the next read says EBADFD.
      if (errno != EAGAIN && errno != EIO) errors_.Add(env_, kOpRead, errno, -1);
      break;
    }
    if (size == 0 || static_cast<size_t>(size) > room) {
      dropped_++;
      continue;
    }
    batch->offsets[count] = static_cast<int32_t>(offset);
    batch->lengths[count] = static_cast<int32_t>(size);
    count++;
  }
  return count;
}

int32_t Tun::Write(const Batch& batch, int32_t first, int32_t end) {
  int32_t written = 0;
  for (int32_t slot = first; slot < end; slot++) {
    const size_t size = static_cast<size_t>(batch.lengths[slot]);
    if (size == 0) continue;
    ssize_t result;
    do {
      result = write(fd_, batch.packet(static_cast<size_t>(slot)), size);
    } while (result < 0 && errno == EINTR);
    if (result >= 0) {
      written++;
      continue;
    }
    dropped_++;
    if (errno != EAGAIN) errors_.Add(env_, kOpWrite, errno, -1);
  }
  return written;
}

// Opens and attaches; returns the descriptor or -1 after throwing. `request` gets the kernel's name.
int OpenDevice(napi_env env, const char* node, const std::string& dev, bool tap, struct ifreq* request) {
  const int fd = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    ThrowErrno(env, errno, "open");
    return -1;
  }
  request->ifr_flags = static_cast<short>((tap ? IFF_TAP : IFF_TUN) | IFF_NO_PI);
  // Without a name the kernel takes the lowest free tunN or tapN.
  if (dev != "tun" && dev != "tap") strncpy(request->ifr_name, dev.c_str(), IFNAMSIZ - 1);
  if (ioctl(fd, TUNSETIFF, request) < 0) {
    const int error = errno;
    close(fd);
    ThrowErrno(env, error, "ioctl");
    return -1;
  }
  return fd;
}

// new Tun(node, dev, tap, errors, onReady)
napi_value NewTun(napi_env env, napi_callback_info info) {
  Args args(env, info);
  std::string node, dev;
  bool tap;
  Words errors;
  napi_value callback;
  if (!args.Constructing(info) || !args.Text(0, &node) || !args.Text(1, &dev) || !args.Bool(2, &tap) ||
      !args.Int32s(3, &errors) || !args.Function(4, &callback)) {
    return nullptr;
  }
  struct ifreq request = {};
  const int fd = OpenDevice(env, node.c_str(), dev, tap, &request);
  if (fd < 0) return nullptr;
  Tun* tun = new Tun(env, request);
  if (!tun->Attach(fd, args.at(3), callback)) {
    delete tun;
    return nullptr;
  }
  return Wrap(env, args.self(), tun);
}

Tun* UnwrapOpen(napi_env env, napi_value self) {
  Tun* tun = Unwrap<Tun>(env, self);
  if (tun != nullptr && tun->fd() < 0) {
    ThrowMisuse(env, "the device is closed");
    return nullptr;
  }
  return tun;
}

// readBatch(slab, slotSize, headroom, tailroom, offsets, lengths, limit)
napi_value ReadBatch(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Tun* tun = UnwrapOpen(env, args.self());
  Batch batch;
  int32_t limit;
  size_t headroom, room;
  if (tun == nullptr || !batch.Read(env, &args, 0, 1, 4) || !args.Int(6, &limit) ||
      !batch.ReadRoom(env, &args, 2, limit, &headroom, &room)) {
    return nullptr;
  }
  if (headroom + room >= batch.slot_size) return ThrowMisuse(env, "reading needs a byte of tailroom");
  return MakeInt(env, tun->Read(&batch, headroom, room, limit));
}

// writeBatch(slab, slotSize, offsets, lengths, first, end)
napi_value WriteBatch(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Tun* tun = UnwrapOpen(env, args.self());
  Batch batch;
  int32_t first, end;
  if (tun == nullptr || !batch.Read(env, &args, 0, 1, 2) || !args.Int(4, &first) || !args.Int(5, &end) ||
      !batch.CheckRun(env, first, end)) {
    return nullptr;
  }
  return MakeInt(env, tun->Write(batch, first, end));
}

napi_value SetTxQueueLength(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Tun* tun = UnwrapOpen(env, args.self());
  struct ifreq request = {};
  int32_t packets;
  if (tun == nullptr || !args.Int(0, &packets)) return nullptr;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return MakeInt(env, errno);
  memcpy(request.ifr_name, tun->name(), IFNAMSIZ);
  request.ifr_qlen = packets;
  const int error = ioctl(fd, SIOCSIFTXQLEN, &request) < 0 ? errno : 0;
  close(fd);
  return MakeInt(env, error);
}

napi_value Name(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Tun* tun = Unwrap<Tun>(env, args.self());
  return tun == nullptr ? nullptr : MakeText(env, tun->name());
}

napi_value Dropped(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Tun* tun = Unwrap<Tun>(env, args.self());
  return tun == nullptr ? nullptr : MakeInt(env, tun->dropped());
}

}  // namespace

bool InitTun(napi_env env, napi_value exports) {
  const Method methods[] = {{"readBatch", ReadBatch},        {"writeBatch", WriteBatch},
                            {"setTxQueueLength", SetTxQueueLength}, {"poll", Pollable::JsPoll},
                            {"ref", Pollable::JsRef},        {"unref", Pollable::JsUnref},
                            {"close", Pollable::JsClose}};
  const Method getters[] = {{"fd", Pollable::JsFd}, {"name", Name}, {"dropped", Dropped}};
  return DefineClass(env, exports, "Tun", NewTun, methods, 7, getters, 3);
}

}  // namespace ovpn
