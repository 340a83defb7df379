// The two halves of segmentation offload without a device: for tests and fuzzing, which need no root.
#include <cerrno>
#include <cstring>
#include <memory>

#include "coalesce.h"
#include "common.h"
#include "split.h"

namespace ovpn {
namespace {

// splitFrame(frame, slab, slotSize, headroom, tailroom, offsets, lengths, limit)
napi_value SplitFrame(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Bytes frame;
  Batch batch;
  int32_t limit;
  size_t headroom, room;
  if (!args.Byte(0, &frame) || !batch.Read(env, &args, 1, 2, 5) || !args.Int(7, &limit) ||
      !batch.ReadRoom(env, &args, 3, limit, &headroom, &room)) {
    return nullptr;
  }
  Splitter splitter;
  if (!splitter.Take(frame.data, frame.size)) return MakeInt(env, -1);
  int32_t count = 0;
  while (splitter.pending() && count < limit) {
    const size_t offset = static_cast<size_t>(count) * batch.slot_size + headroom;
    const size_t size = splitter.Next(batch.slab + offset, room);
    if (size == 0) continue;
    batch.offsets[count] = static_cast<int32_t>(offset);
    batch.lengths[count++] = static_cast<int32_t>(size);
  }
  return MakeInt(env, count);
}

// Puts frames one behind the other; refuses what has no room with ENOBUFS.
struct MemorySink : FrameSink {
  Bytes out;
  Words sizes;
  size_t used = 0;
  size_t frames = 0;

  int WriteFrame(const iovec* parts, int count) override {
    size_t size = 0;
    for (int i = 0; i < count; i++) size += parts[i].iov_len;
    if (size > out.size - used || frames >= sizes.size) return ENOBUFS;
    for (int i = 0; i < count; i++) {
      memcpy(out.data + used, parts[i].iov_base, parts[i].iov_len);
      used += parts[i].iov_len;
    }
    sizes.data[frames++] = static_cast<int32_t>(size);
    return 0;
  }
  void Lost(int, int32_t) override {}
};

// coalesceBatch(slab, slotSize, offsets, lengths, first, end, out, sizes)
napi_value CoalesceBatch(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Batch batch;
  int32_t first, end;
  MemorySink sink;
  if (!batch.Read(env, &args, 0, 1, 2) || !args.Int(4, &first) || !args.Int(5, &end) ||
      !args.Byte(6, &sink.out) || !args.Int32s(7, &sink.sizes) || !batch.CheckRun(env, first, end)) {
    return nullptr;
  }
  std::unique_ptr<Coalescer> coalescer(new Coalescer(&sink));
  for (int32_t slot = first; slot < end; slot++) {
    if (batch.lengths[slot] == 0) continue;
    coalescer->Add(batch.packet(static_cast<size_t>(slot)), static_cast<size_t>(batch.lengths[slot]));
  }
  coalescer->Flush();
  return MakeInt(env, static_cast<int64_t>(sink.frames));
}

}  // namespace

bool InitSegment(napi_env env, napi_value exports) {
  return DefineFunction(env, exports, "splitFrame", SplitFrame) &&
         DefineFunction(env, exports, "coalesceBatch", CoalesceBatch);
}

}  // namespace ovpn
