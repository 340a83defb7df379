// Linux TUN/TAP devices (2.x tun.c, open_tun_generic() for Linux), a batch per call from JavaScript.
// Slots hold bare packets (IFF_NO_PI), one each.
//
// Where the kernel allows it a TUN device is opened with IFF_VNET_HDR: one read may bring, and one write
// take, a TCP super-packet of many segments, which split.cc cuts into slots and coalesce.cc makes of
// them. Else, and for TAP, it is one packet per read and write.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "coalesce.h"
#include "poll.h"
#include "split.h"

namespace ovpn {
namespace {

constexpr size_t kMaxFrame = kVnetHead + 65536;
constexpr unsigned kOffloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;

// What a device with virtio-net headers needs: the last frame read, and what is about to be written.
struct Offload {
  explicit Offload(FrameSink* sink) : coalescer(sink) {}

  Splitter splitter;
  Coalescer coalescer;
  uint8_t frame[kMaxFrame];
};

class Tun : public Pollable, private FrameSink {
 public:
  static constexpr uint32_t kKinds = kTun;

  Tun(napi_env env, const ifreq& request, bool offload) : Pollable(env, kTun) {
    memcpy(name_, request.ifr_name, IFNAMSIZ - 1);
    if (offload) offload_.reset(new Offload(this));
  }
  ~Tun() override { Close(); }

  const char* name() const { return name_; }
  int64_t dropped() const { return dropped_; }
  bool offload() const { return offload_ != nullptr; }
  // Whether segments of the last frame wait for the next Read().
  bool pending() const { return offload() && offload_->splitter.pending(); }

  // Reads into slots 0..limit-1; a packet longer than `room` is dropped. Returns the packets read.
  // The slot has at least one byte behind `room`.
  int32_t Read(Batch* batch, size_t headroom, size_t room, int32_t limit);
  int32_t Write(const Batch& batch, int32_t first, int32_t end);

 protected:
  void OnClose() override;

 private:
  int32_t ReadPlain(Batch* batch, size_t headroom, size_t room, int32_t limit);
  bool ReadFrame();
  bool GoOnReading();
  int WriteFrame(const iovec* parts, int count) override;
  void Lost(int error, int32_t packets) override;

  char name_[IFNAMSIZ] = {};
  int64_t dropped_ = 0;
  std::unique_ptr<Offload> offload_;
};

// A persistent device would go on handing super-packets to the next program that attaches.
void Tun::OnClose() {
  if (offload()) ioctl(fd_, TUNSETOFFLOAD, 0);
}

int32_t Tun::Read(Batch* batch, size_t headroom, size_t room, int32_t limit) {
  if (!offload()) return ReadPlain(batch, headroom, room, limit);
  Splitter* splitter = &offload_->splitter;
  int32_t count = 0;
  while (count < limit) {
    if (!splitter->pending() && !ReadFrame()) break;
    while (splitter->pending() && count < limit) {
      const size_t offset = static_cast<size_t>(count) * batch->slot_size + headroom;
      const size_t size = splitter->Next(batch->slab + offset, room);
      if (size == 0) {
        dropped_++;
        continue;
      }
      batch->offsets[count] = static_cast<int32_t>(offset);
      batch->lengths[count] = static_cast<int32_t>(size);
      count++;
    }
  }
  return count;
}

// Reads until the splitter has a frame; false when there is none.
bool Tun::ReadFrame() {
  for (;;) {
    const ssize_t size = read(fd_, offload_->frame, kMaxFrame);
    if (size < 0) {
      if (GoOnReading()) continue;
      return false;
    }
    if (offload_->splitter.Take(offload_->frame, static_cast<size_t>(size))) return true;
    dropped_++;
  }
}

// After a failed read: whether to try again.
bool Tun::GoOnReading() {
  if (errno == EINTR) return true;
  // EIO: the device is being taken down; if it is gone for good the next read says EBADFD.
  if (errno != EAGAIN && errno != EIO) errors_.Add(env_, kOpRead, errno, -1);
  return false;
}

int32_t Tun::ReadPlain(Batch* batch, size_t headroom, size_t room, int32_t limit) {
  int32_t count = 0;
  while (count < limit) {
    const size_t offset = static_cast<size_t>(count) * batch->slot_size + headroom;
    // The kernel cuts a packet to the buffer and doesn't say so: one byte more gives it away.
    const ssize_t size = read(fd_, batch->slab + offset, room + 1);
    if (size < 0) {
      if (GoOnReading()) continue;
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
    uint8_t* packet = batch.packet(static_cast<size_t>(slot));
    if (offload()) {
      offload_->coalescer.Add(packet, size);
      continue;
    }
    const iovec part = {packet, size};
    const int error = WriteFrame(&part, 1);
    if (error == 0) written++;
    else Lost(error, 1);
  }
  return offload() ? offload_->coalescer.Flush() : written;
}

int Tun::WriteFrame(const iovec* parts, int count) {
  for (;;) {
    if (writev(fd_, parts, count) >= 0) return 0;
    if (errno != EINTR) return errno;
  }
}

void Tun::Lost(int error, int32_t packets) {
  dropped_ += packets;
  if (error != EAGAIN) errors_.Add(env_, kOpWrite, error, -1);
}

// Attaches with or without virtio-net headers; returns 0 or an errno.
int AttachDevice(int fd, const std::string& dev, int flags, struct ifreq* request) {
  *request = {};
  request->ifr_flags = static_cast<short>(flags | IFF_NO_PI);
  // Without a name the kernel takes the lowest free tunN or tapN.
  if (dev != "tun" && dev != "tap") strncpy(request->ifr_name, dev.c_str(), IFNAMSIZ - 1);
  return ioctl(fd, TUNSETIFF, request) < 0 ? errno : 0;
}

// Sets an attached device up for super-packets, or takes off what another program left on a persistent one.
bool SetOffload(int fd, bool offload) {
  int head = kVnetHead;
  if (offload && ioctl(fd, TUNSETVNETHDRSZ, &head) < 0) return false;
  // Where this is refused single packets are read; writing takes super-packets all the same.
  ioctl(fd, TUNSETOFFLOAD, offload ? kOffloads : 0);
  return true;
}

// Opens and attaches; returns the descriptor or -1 after throwing. `request` gets the kernel's name;
// `offload` becomes false where it can't be had.
int OpenDevice(napi_env env, const char* node, const std::string& dev, bool tap, bool* offload,
               struct ifreq* request) {
  const int fd = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    ThrowErrno(env, errno, "open");
    return -1;
  }
  unsigned features = 0;
  if (tap || ioctl(fd, TUNGETFEATURES, &features) < 0 || (features & IFF_VNET_HDR) == 0) *offload = false;
  const int kind = tap ? IFF_TAP : IFF_TUN;
  int error = AttachDevice(fd, dev, *offload ? kind | IFF_VNET_HDR : kind, request);
  if (error == EINVAL && *offload) {
    *offload = false;
    error = AttachDevice(fd, dev, kind, request);
  }
  if (error == 0 && !SetOffload(fd, *offload)) error = errno;
  if (error != 0) {
    close(fd);
    ThrowErrno(env, error, "ioctl");
    return -1;
  }
  return fd;
}

// new Tun(node, dev, tap, errors, onReady, offload)
napi_value NewTun(napi_env env, napi_callback_info info) {
  Args args(env, info);
  std::string node, dev;
  bool tap, offload;
  Words errors;
  napi_value callback;
  if (!args.Constructing(info) || !args.Text(0, &node) || !args.Text(1, &dev) || !args.Bool(2, &tap) ||
      !args.Int32s(3, &errors) || !args.Function(4, &callback) || !args.Bool(5, &offload)) {
    return nullptr;
  }
  struct ifreq request = {};
  const int fd = OpenDevice(env, node.c_str(), dev, tap, &offload, &request);
  if (fd < 0) return nullptr;
  Tun* tun = new Tun(env, request, offload);
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

napi_value Offloads(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Tun* tun = Unwrap<Tun>(env, args.self());
  return tun == nullptr ? nullptr : MakeBool(env, tun->offload());
}

napi_value Pending(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Tun* tun = Unwrap<Tun>(env, args.self());
  return tun == nullptr ? nullptr : MakeBool(env, tun->pending());
}

}  // namespace

bool InitTun(napi_env env, napi_value exports) {
  const Method methods[] = {
      {"readBatch", ReadBatch},     {"writeBatch", WriteBatch}, {"setTxQueueLength", SetTxQueueLength},
      {"poll", Pollable::JsPoll},   {"ref", Pollable::JsRef},   {"unref", Pollable::JsUnref},
      {"close", Pollable::JsClose},
  };
  const Method getters[] = {
      {"fd", Pollable::JsFd}, {"name", Name},       {"dropped", Dropped},
      {"offload", Offloads},  {"pending", Pending},
  };
  return DefineClass(env, exports, "Tun", NewTun, methods, getters);
}

}  // namespace ovpn
