// The workloads as a user of Kafka Streams writes them: w1 (filter, project, sum up), w2 (running sum by user) and w4
// (w1's rows to a topic, exactly once). It has no bounded runs: the program ends when it has seen so many records.
// Prints one line, RESULT and JSON. Arguments: workload, brokers, topic, output topic, run's name, folder, records.
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.ObjectWriter;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

public class StreamsPeer {
  @JsonIgnoreProperties(ignoreUnknown = true)
  public record Payment(long id, String user, double amount) {}

  static final ObjectMapper mapper = new ObjectMapper();
  static final ObjectReader reader = mapper.readerFor(Payment.class);
  static final ObjectWriter writer = mapper.writerFor(Payment.class);
  static final AtomicLong firstRecordAtMs = new AtomicLong();
  static final LongAdder seen = new LongAdder();

  static Payment parse(byte[] bytes) {
    if (firstRecordAtMs.get() == 0) firstRecordAtMs.compareAndSet(0, System.currentTimeMillis());
    try {
      return reader.readValue(bytes);
    } catch (Exception error) {
      throw new RuntimeException(error);
    }
  }

  static byte[] write(Payment payment) {
    try {
      return writer.writeValueAsBytes(payment);
    } catch (Exception error) {
      throw new RuntimeException(error);
    }
  }

  static Serde<Payment> payments() {
    Serializer<Payment> serializer = (topic, payment) -> write(payment);
    Deserializer<Payment> deserializer = (topic, bytes) -> parse(bytes);
    return Serdes.serdeFrom(serializer, deserializer);
  }

  static Properties settings(String brokers, String run, String folder, boolean exactlyOnce) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", brokers);
    settings.put("application.id", run);
    settings.put("state.dir", folder);
    settings.put("num.stream.threads", "2");
    settings.put("consumer.auto.offset.reset", "earliest");
    settings.put("producer.linger.ms", "20");
    settings.put("producer.batch.size", "262144");
    settings.put("statestore.cache.max.bytes", String.valueOf(64L << 20));
    settings.put("processing.guarantee", exactlyOnce ? "exactly_once_v2" : "at_least_once");
    // As often as Flink's checkpoints here; its default of 100 ms costs throughput.
    if (exactlyOnce) settings.put("commit.interval.ms", "1000");
    return settings;
  }

  public static void main(String[] args) throws Exception {
    String workload = args[0], brokers = args[1], topic = args[2], output = args[3], run = args[4], folder = args[5];
    long total = Long.parseLong(args[6]);
    LongAdder rows = new LongAdder(), ids = new LongAdder(), cents = new LongAdder(), userChars = new LongAdder();
    Map<String, Double> sums = new ConcurrentHashMap<>();
    LongAdder summed = new LongAdder();

    StreamsBuilder builder = new StreamsBuilder();
    KStream<byte[], Payment> payments = builder
        .stream(topic, Consumed.with(Serdes.ByteArray(), payments()))
        .peek((key, payment) -> seen.increment());
    switch (workload) {
      case "w1" -> payments.filter((key, payment) -> payment.amount() > 50).foreach((key, payment) -> {
        rows.increment();
        ids.add(payment.id());
        cents.add(Math.round(payment.amount() * 100));
        userChars.add(payment.user().length());
      });
      case "w2" -> payments
          .map((key, payment) -> KeyValue.pair(payment.user(), payment.amount()))
          .groupByKey(Grouped.with(Serdes.String(), Serdes.Double()))
          .aggregate(() -> 0.0, (user, amount, sum) -> {
            summed.increment();
            return sum + amount;
          }, Materialized.<String, Double>as(Stores.inMemoryKeyValueStore("sums"))
              .withKeySerde(Serdes.String()).withValueSerde(Serdes.Double()))
          .toStream()
          .foreach((user, sum) -> sums.put(user, sum));
      case "w4" -> payments
          .filter((key, payment) -> payment.amount() > 50)
          .map((key, payment) -> KeyValue.pair(payment.user(), payment))
          .to(output, Produced.with(Serdes.String(), payments()));
      default -> throw new IllegalArgumentException(workload);
    }

    KafkaStreams streams = new KafkaStreams(builder.build(), settings(brokers, run, folder, workload.equals("w4")));
    long startedAtMs = System.currentTimeMillis();
    streams.start();
    LongAdder last = workload.equals("w2") ? summed : seen;
    while (last.sum() < total) Thread.sleep(5);
    long seenAtMs = System.currentTimeMillis();
    streams.close(Duration.ofSeconds(60));
    // Only closing commits the last transaction, and flushes the last sums; counting needs neither.
    long doneAtMs = workload.equals("w1") ? seenAtMs : System.currentTimeMillis();
    String digest = switch (workload) {
      case "w1" -> String.format("\"rows\":%d,\"ids\":%d,\"cents\":%d,\"userChars\":%d", rows.sum(), ids.sum(),
          cents.sum(), userChars.sum());
      case "w2" -> String.format("\"users\":%d,\"cents\":%d", sums.size(),
          sums.values().stream().mapToLong(sum -> Math.round(sum * 100)).sum());
      default -> "";
    };
    System.out.printf("RESULT {\"startedAtMs\":%d,\"firstRecordAtMs\":%d,\"doneAtMs\":%d,\"digest\":{%s}}%n",
        startedAtMs, firstRecordAtMs.get(), doneAtMs, digest);
    System.exit(0);
  }
}
